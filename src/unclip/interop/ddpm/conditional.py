"""`UNet2DConditionModel`, which is told tokens: its settings as `UNet2DModel` would say them, and further ones."""

from collections.abc import Mapping
from typing import Any

from unclip.interop.ddpm import read

KIND = "UNet2DConditionModel"
DEFAULTS: dict[str, Any] = {**read.DEFAULTS, "cross_attention_dim": 1280}
FIXED: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "norm_eps": (1e-5,),
    "dropout": (0.0, 0),
    "mid_block_scale_factor": (1,),
    "num_class_embeds": (None,),
    "addition_embed_type": (None,),
    "encoder_hid_dim_type": (None,),
    "encoder_hid_dim": (None,),
    "time_embedding_type": ("positional",),
    "time_embedding_dim": (None,),
    "time_embedding_act_fn": (None,),
    "timestep_post_act": (None,),
    "time_cond_proj_dim": (None,),
    "num_attention_heads": (None,),
    "cross_attention_norm": (None,),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "resnet_out_scale_factor": (1.0, 1),
    **dict.fromkeys(
        ("center_input_sample", "only_cross_attention", "dual_cross_attention", "mid_block_only_cross_attention",
         "resnet_skip_time_act", "class_embeddings_concat"), (False, None),
    ),
}  # fmt: skip
"""Settings of theirs, and the values that our network knows."""


def as_plain(table: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, Any]:
    """The settings as `UNet2DModel` would say them. named: blocks with attention -> what that class calls such ones."""
    down, up = ([named.get(kind, kind) for kind in table[f"{way}_block_types"]] for way in ("down", "up"))
    return {
        **table,
        "down_block_types": down,
        "up_block_types": up,
        "add_attention": True,
        "attn_norm_num_groups": table["norm_num_groups"],
        "time_embedding_dim": None,
        "num_class_embeds": None,
    }

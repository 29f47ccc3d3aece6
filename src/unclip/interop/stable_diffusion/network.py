"""The network of codes: a `UNet2DConditionModel` with spatial transformers, as `DiffusionUNet` has them.

Theirs counts heads by the name of their width: `attention_head_dim = 8` are 8 heads, whatever their width.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unclip.core.config.ranges import quote
from unclip.core.typing import Tensor
from unclip.interop.ddpm import conditional
from unclip.interop.ddpm.read import to_network, to_weights
from unclip.interop.ddpm.scheduler import Entries
from unclip.interop.parts import CONFIG, check_fixed, settings, tensors
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig

UNET = "unet"
DEFAULTS: dict[str, Any] = {
    **conditional.DEFAULTS,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "transformer_layers_per_block": 1,
    "only_cross_attention": False,
}
FIXED: dict[str, tuple[Any, ...]] = {
    **conditional.FIXED,
    "class_embed_type": (None,),
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
    "resnet_time_scale_shift": ("default", "scale_shift"),
    "reverse_transformer_layers_per_block": (None,),
    "attention_type": ("default",),
}
"""Settings of theirs, and the values that our network knows."""
NAMED = {"CrossAttnDownBlock2D": "AttnDownBlock2D", "CrossAttnUpBlock2D": "AttnUpBlock2D"}
"""Their blocks with spatial transformers -> what `UNet2DModel` calls such ones with attention."""
SQUARE = ("proj_in.weight", "proj_out.weight")
"""Ends of the names of what is a convolution of 1x1 in some versions, and a matrix in others."""


def read(folder: Path, entries: Entries) -> tuple[DiffusionUNetConfig, dict[str, Tensor], int, Path]:
    """Settings and weights of our network, the side of its codes, and the file. entries: levels of the timesteps.

    Raises ValueError that names what does not fit.
    """
    table, path = settings(folder / UNET, conditional.KIND, DEFAULTS), folder / UNET / CONFIG
    network = to_spatial(table, path, entries)
    state, file = tensors(folder / UNET)
    state = {name: t[..., 0, 0] if name.endswith(SQUARE) and t.dim() == 4 else t for name, t in state.items()}
    return network, to_weights(state, network, table, entries, file), _side(table, path), file


def to_spatial(table: Mapping[str, Any], path: Path, entries: Entries) -> DiffusionUNetConfig:
    """The settings of our network. Raises ValueError that names the one of theirs that has no counterpart."""
    check_fixed(table, FIXED, path)
    plain = {**conditional.as_plain(table, NAMED), "attention_head_dim": None}
    for name in ("cross_attention_dim", "layers_per_block", "transformer_layers_per_block"):
        if not isinstance(table[name], int):
            alike = set(map(str, table[name])) if isinstance(table[name], list | tuple) else set()
            if len(alike) != 1 or not isinstance(table[name][0], int):
                raise ValueError(f"{path}: {name} = {quote(table[name])}: unclip's has one number for all levels")
            plain[name] = table[name][0]
    heads = table["attention_head_dim"]
    heads = [heads] * len(plain["down_block_types"]) if isinstance(heads, int) else list(heads)
    return to_network(plain, str(path), entries).changed(
        heads=tuple(heads), spatial=plain["transformer_layers_per_block"], token_width=plain["cross_attention_dim"]
    )


def _side(table: Mapping[str, Any], path: Path) -> int:
    side = table.get("sample_size")
    if not isinstance(side, int):
        raise ValueError(f"{path}: sample_size = {quote(side)}: the side of a square code, cells; write it there")
    return side

"""Stable Diffusion as diffusers keeps it, of both published structures, narrower, with weights that are not trained."""

import os
from pathlib import Path
from typing import Any

from tests.fakes import built
from tests.interop.karlos import CONTEXT, lively, tokenizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")

PUBLISHED: dict[str, dict[str, Any]] = {  # runwayml/stable-diffusion-v1-5, stabilityai/stable-diffusion-2-1
    "one": {},
    "two": {"attention_head_dim": (5, 10, 20, 20), "cross_attention_dim": 1024, "use_linear_projection": True},
}
"""What of the network of codes differs from the defaults but for cross_attention_dim, 768 in the first."""
SIDE, FACTOR, STEPS = 16, 4, 10
"""Cells of a code, px of a cell; steps that the pipelines are compared with."""
LEVELS = {
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
UNET: dict[str, Any] = {
    "sample_size": SIDE,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (32, 64, 64),
    "layers_per_block": 2,
    **LEVELS,
}
VAE: dict[str, Any] = {
    "block_out_channels": (32, 32, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "latent_channels": 4,
    "layers_per_block": 2,
}
FORMS: dict[str, dict[str, dict[str, Any]]] = {
    "one": {
        "unet": {"cross_attention_dim": 24, "attention_head_dim": 8},
        "text": {"hidden_size": 24, "intermediate_size": 96, "num_attention_heads": 3, "num_hidden_layers": 2},
        "scheduler": {"clip_sample": False, "set_alpha_to_one": False},
    },
    "two": {
        "unet": {"cross_attention_dim": 32, "attention_head_dim": (2, 4, 4), "use_linear_projection": True},
        "text": {
            "hidden_size": 32, "intermediate_size": 128, "num_attention_heads": 2, "num_hidden_layers": 3,
            "hidden_act": "gelu", "projection_dim": 48,
        },
        "scheduler": {"clip_sample": False, "set_alpha_to_one": False, "prediction_type": "v_prediction"},
    },
}  # fmt: skip
"""The first version: CLIP's tower, 1x1 convolutions, 8 heads at each level, eps. The second: OpenCLIP's tower without
its last layer, GELU, matrices, heads of one width, v, captions that are filled up with a word."""


def stable(words: Path, form: str, **changes: dict[str, Any]) -> Any:
    """The pipeline of diffusers. changes: of the settings of a part, by its name: unet, vae, text, scheduler."""
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel

    tokens = tokenizer(words, **({"pad_token": "!"} if form == "two" else {}))
    own = {part: {**table, **changes.get(part, {})} for part, table in {**FORMS[form], "vae": {}}.items()}
    text = CLIPTextConfig(
        vocab_size=len(tokens), max_position_embeddings=CONTEXT, bos_token_id=tokens.bos_token_id,
        eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id, **own["text"],
    )  # fmt: skip
    kinds = {
        "text_encoder": lambda: CLIPTextModel(text),
        "unet": lambda: diffusers.UNet2DConditionModel(**{**UNET, **own["unet"]}),
        "vae": lambda: diffusers.AutoencoderKL(**{**VAE, **own["vae"]}),
    }
    parts: dict[str, Any] = {name: lively(built(make, name), name) for name, make in kinds.items()}
    scheduler = diffusers.DDIMScheduler(**{**BETAS, **own["scheduler"]})
    pipe = diffusers.StableDiffusionPipeline(
        **parts, tokenizer=tokens, scheduler=scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe

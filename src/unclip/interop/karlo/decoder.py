"""Karlo's decoder: a `UNet2DConditionModel` told by an `UnCLIPTextProjModel`, GLIDE's network as here.

    theirs  e = level + W_z z + W_t z_t + b        z_t = P y_end        ours  e = level' + V [z, y_end]

so V = [W_z, W_t P], and both biases go into the last one of the level. Tokens of z are told apart by channels there and
by blocks here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from unclip.clip.model import CLIP
from unclip.core.noise import initial_weights
from unclip.core.typing import Float, Tensor
from unclip.interop import weights
from unclip.interop.ddpm import conditional
from unclip.interop.ddpm.read import to_network, to_weights
from unclip.interop.ddpm.scheduler import levels
from unclip.interop.karlo import steps
from unclip.interop.parts import CONFIG, check_fixed, settings, tensors
from unclip.interop.weights import Match, matches
from unclip.models.decoder import Decoder, DecoderConfig

UNET, PROJECTION, SCHEDULER = "decoder", "text_proj", "decoder_scheduler"
STEPS, SCALE = 25, 8.0
"""What the pipeline takes."""
SIZES = (32, 64)
"""px: sides of what a decoder draws here."""
FIXED: dict[str, tuple[Any, ...]] = {
    **conditional.FIXED,
    "class_embed_type": ("identity",),
    "mid_block_type": ("UNetMidBlock2DSimpleCrossAttn",),
    "resnet_time_scale_shift": ("scale_shift",),
}
"""Settings of theirs, and the values that our network knows."""
NAMED = {"SimpleCrossAttnDownBlock2D": "AttnDownBlock2D", "SimpleCrossAttnUpBlock2D": "AttnUpBlock2D"}
"""Their blocks with attention -> what `UNet2DModel` calls such ones."""
NET = "diffusion.denoiser.network"
IMAGE, TEXT = "clip_image_embeddings_project_to_time_embeddings", "embedding_proj"


def read(folder: Path, clip: CLIP) -> Decoder:
    """The decoder of the pipeline's folder, for this text tower. Raises ValueError that names what does not fit."""
    table, path = unet_settings(folder), folder / UNET / CONFIG
    project = settings(
        folder / PROJECTION, "UnCLIPTextProjModel", {"clip_extra_context_tokens": 4, "clip_embeddings_dim": 768}
    )
    _check(table, project, clip, path)
    process, how = steps.read(folder / SCHEDULER, STEPS, SCALE)
    entries = levels(process.schedule)
    plain = to_network(as_plain(table), str(path), entries)
    network = plain.changed(
        vector_width=clip.config.width + clip.config.text.width, token_width=table["cross_attention_dim"]
    )
    config = DecoderConfig(
        network=network,
        diffusion=process,
        sampling=how,
        image_tokens=project["clip_extra_context_tokens"],
        caption_width=network.token_width,
        size=table["sample_size"],
        embedding_width=clip.config.width,
        text=clip.config.text,
    )
    with initial_weights("read", "decoder"):
        decoder = Decoder(config)
    state, file = tensors(folder / UNET)
    found = {f"{NET}.{name}": t for name, t in to_weights(state, network, table, entries, file).items()}
    told, there = tensors(folder / PROJECTION)
    found |= _told(weights.to_ours(told, _pairs(), there), found, clip, config.image_tokens)
    own = {"statistics.mean": torch.zeros(config.embedding_width), "statistics.std": torch.ones(config.embedding_width)}
    found |= own | {f"text.{name}": t for name, t in clip.text.state_dict().items()}
    weights.check_shapes(found, decoder, file)
    decoder.load_state_dict(found)
    return decoder.eval().requires_grad_(False)


def unet_settings(folder: Path) -> dict[str, Any]:
    """The settings of the U-Net, whose sample_size is checked. Raises ValueError for a side that none here has."""
    table = settings(folder / UNET, conditional.KIND, conditional.DEFAULTS)
    if table.get("sample_size") not in SIZES:
        raise ValueError(
            f"{folder / UNET / CONFIG}: sample_size = {table.get('sample_size')}: unclip's decoders draw "
            f"{' or '.join(map(str, SIZES))} px"
        )
    return table


def _check(table: Mapping[str, Any], project: Mapping[str, Any], clip: CLIP, path: Path) -> None:
    check_fixed(table, FIXED, path)
    wanted = {
        "clip_embeddings_dim": clip.config.width,
        "cross_attention_dim": table["cross_attention_dim"],
        "time_embed_dim": 4 * table["block_out_channels"][0],
    }
    for name, value in wanted.items():
        if project.get(name) != value:
            raise ValueError(
                f"{path.parent.parent / PROJECTION / CONFIG}: {name} = {project.get(name)}: the parts beside it mean "
                f"{value}; they are not of the same model"
            )


def as_plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as `UNet2DModel` would say them."""
    return {**conditional.as_plain(table, NAMED), "downsample_type": "resnet", "upsample_type": "resnet"}


def _pairs() -> list[Match]:
    """Every tensor of the projections but the text's, which is not ours as it is."""
    found = [Match("null_embedding", ("learned_classifier_free_guidance_embeddings",))]
    ours = {
        "to_tokens": "clip_extra_context_tokens_proj",
        "caption.0": "encoder_hidden_states_proj",
        "caption.1": "text_encoder_hidden_states_norm",
        IMAGE: IMAGE,
        TEXT: TEXT,
    }
    return found + [pair for name, theirs in ours.items() for pair in matches(name, theirs)]


def _told(told: dict[str, Tensor], found: Mapping[str, Tensor], clip: CLIP, tokens: int) -> dict[str, Tensor]:
    """How the decoder's network is told of embedding and caption."""
    vector = [told.pop(f"{IMAGE}.weight"), told.pop(f"{TEXT}.weight") @ clip.text_projection.weight.detach()]
    last = f"{NET}.embedding.level.mlp.2.bias"
    bias = found[last] + told.pop(f"{IMAGE}.bias") + told.pop(f"{TEXT}.bias")
    for end in ("weight", "bias"):
        told[f"to_tokens.{end}"] = _by_token(told[f"to_tokens.{end}"], tokens)
    return {**told, f"{NET}.embedding.vector.weight": torch.cat(vector, dim=1), last: bias}


def _by_token(rows: Float[Tensor, "n ..."], tokens: int) -> Float[Tensor, "n ..."]:
    """Rows (channel, token) -> (token, channel)."""
    return rows.unflatten(0, (-1, tokens)).transpose(0, 1).flatten(0, 1)

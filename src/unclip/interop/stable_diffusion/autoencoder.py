"""An `AutoencoderKL`: the paper's autoencoder, whose codes one number makes as wide as the diffusion wants them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from unclip.core.config.ranges import quote
from unclip.core.noise import initial_weights
from unclip.core.typing import Tensor
from unclip.interop import weights
from unclip.interop.ddpm.names import attention_pairs, modern, res_pairs
from unclip.interop.parts import CONFIG, check_fixed, settings, tensors
from unclip.interop.weights import Match, matches
from unclip.models.autoencoder.model import Autoencoder
from unclip.nn.autoencoder.coder import CoderConfig

VAE, KIND = "vae", "AutoencoderKL"
DEFAULTS: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": (64,),
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
    "use_quant_conv": True,
    "use_post_quant_conv": True,
    "mid_block_add_attention": True,
}
"""Of the class, where its config says nothing."""
FIXED: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "shift_factor": (None, 0, 0.0),
    "latents_mean": (None,),
    "latents_std": (None,),
}
"""Settings of theirs, and the values that ours knows."""


def read(folder: Path) -> Autoencoder:
    """The autoencoder of the pipeline's folder. Raises ValueError that names what does not fit."""
    table, path = settings_of(folder), folder / VAE / CONFIG
    config = to_coder(table, path)
    state, file = tensors(folder / VAE)
    found = weights.to_ours({modern(name): t for name, t in state.items()}, pairs(config), file)
    with initial_weights("read", "autoencoder"):
        autoencoder = Autoencoder(config)
    weights.check_shapes(found, autoencoder, file)
    autoencoder.load_state_dict(found)
    return autoencoder.eval().requires_grad_(False)


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings in the pipeline's folder. Raises ValueError where they are of another class."""
    return settings(folder / VAE, KIND, DEFAULTS)


def statistics(folder: Path) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation that make codes what the diffusion sees. Raises ValueError for a scale of none."""
    table, path = settings_of(folder), folder / VAE / CONFIG
    scale, channels = table["scaling_factor"], table["latent_channels"]
    if not isinstance(scale, float | int) or not scale > 0:
        raise ValueError(f"{path}: scaling_factor = {quote(scale)}: must be a number above 0")
    return torch.zeros(channels), torch.full((channels,), 1 / scale)


def to_coder(table: dict[str, Any], path: Path) -> CoderConfig:
    """The settings of our network. Raises ValueError that names the one of theirs that has no counterpart."""
    check_fixed(table, FIXED, path)
    widths = tuple(table["block_out_channels"])
    for way, kind in (("down", "DownEncoderBlock2D"), ("up", "UpDecoderBlock2D")):
        found = list(table.get(f"{way}_block_types", (kind,)))
        if found != [kind] * len(widths):
            raise ValueError(f"{path}: {way}_block_types = {quote(found)}: unclip's has {len(widths)} x {kind}")
    for a, b in (("in_channels", "out_channels"), ("use_quant_conv", "use_post_quant_conv")):
        if table[a] != table[b]:
            raise ValueError(f"{path}: {a} = {table[a]}, {b} = {table[b]}: unclip's has one value for both")
    return CoderConfig(
        channels=table["in_channels"],
        latent=table["latent_channels"],
        patch=1,
        widths=widths,
        blocks=table["layers_per_block"],
        attention=table["mid_block_add_attention"],
        fine=0,
        groups=table["norm_num_groups"],
        eps=1e-6,
        head_width=0,
        residual_resample=False,
        mixes=table["use_quant_conv"],
    )


def pairs(config: CoderConfig) -> Iterator[Match]:
    """Every tensor of both halves."""
    for half, mix in (("encoder", "quant_conv"), ("decoder", "post_quant_conv")):
        for ours, theirs in (("stem", "conv_in"), ("norm", "conv_norm_out")):
            yield from matches(f"{half}.{ours}", f"{half}.{theirs}")
        yield from matches(f"{half}.{'out' if half == 'encoder' else 'last'}", f"{half}.conv_out")
        if config.mixes:
            yield from matches(f"{half}.mix", mix)
        for k in range(2):
            yield from res_pairs(f"{half}.core.blocks.{k}", f"{half}.mid_block.resnets.{k}", False, told=False)
        if config.attention:
            yield from attention_pairs(f"{half}.core.attention", f"{half}.mid_block.attentions.0")
    yield from _levels("encoder.parts", "encoder.down_blocks", "downsamplers", config.widths, config.blocks)
    yield from _levels("decoder.parts", "decoder.up_blocks", "upsamplers", config.widths[::-1], config.blocks + 1)


def _levels(ours: str, theirs: str, end: str, widths: tuple[int, ...], blocks: int) -> Iterator[Match]:
    place, came = 0, widths[0]
    for level, width in enumerate(widths):
        if level:
            yield from matches(f"{ours}.{place}.conv", f"{theirs}.{level - 1}.{end}.0.conv")
            place += 1
        for k in range(blocks):
            widened = k == 0 and came != width
            yield from res_pairs(f"{ours}.{place + k}", f"{theirs}.{level}.resnets.{k}", widened, told=False)
        place, came = place + blocks, width

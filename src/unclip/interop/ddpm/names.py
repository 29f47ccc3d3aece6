"""The weights of `DiffusionUNet` under the names of diffusers' `UNet2DModel`.

down_blocks.LEVEL.resnets.K, .attentions.K, .downsamplers.0    here all in one list, `down`
"""

from collections.abc import Iterator

from unclip.interop.weights import Match, matches
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig

ENDS = {
    "stem": "conv_in",
    "embedding.level.mlp.0": "time_embedding.linear_1",
    "embedding.level.mlp.2": "time_embedding.linear_2",
    "out_norm": "conv_norm_out",
    "out": "conv_out",
}
RES = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "film": "time_emb_proj"}
OLD = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""Names of attention in folders that an older diffusers wrote."""


def pairs(config: DiffusionUNetConfig) -> Iterator[Match]:
    """Every tensor of the network, but for the tables of classes and of levels."""
    for ours, theirs in ENDS.items():
        yield from matches(ours, theirs)
    for k, attend in enumerate((any(config.attention), False)):
        yield from _layer(f"core.{k}", "mid_block", k, attend, widened=False)
    yield from _way_down(config)
    yield from _way_up(config)


def _way_down(config: DiffusionUNetConfig) -> Iterator[Match]:
    came, place = config.widths[0], 0
    for level, (width, attend) in enumerate(zip(config.widths, config.attention, strict=True)):
        if level:
            yield from _resampler(f"down.{place}", f"down_blocks.{level - 1}.downsamplers.0", config)
            place += 1
        for k in range(config.blocks):
            yield from _layer(f"down.{place + k}", f"down_blocks.{level}", k, attend, widened=k == 0 and came != width)
        came, place = width, place + config.blocks


def _way_up(config: DiffusionUNetConfig) -> Iterator[Match]:
    place = 0
    for level, attend in enumerate(reversed(config.attention)):
        if level:
            yield from _resampler(f"up.{place}", f"up_blocks.{level - 1}.upsamplers.0", config)
            place += 1
        for k in range(config.blocks + 1):
            yield from _layer(f"up.{place + k}", f"up_blocks.{level}", k, attend, widened=True)
        place += config.blocks + 1


def _layer(ours: str, theirs: str, k: int, attend: bool, widened: bool) -> Iterator[Match]:
    yield from _res(f"{ours}.res", f"{theirs}.resnets.{k}", widened)
    if attend:
        at = f"{theirs}.attentions.{k}"
        yield from matches(f"{ours}.attention.norm", f"{at}.group_norm")
        yield from matches(f"{ours}.attention.qkv", f"{at}.to_q", f"{at}.to_k", f"{at}.to_v")
        yield from matches(f"{ours}.attention.out", f"{at}.to_out.0")


def _resampler(ours: str, theirs: str, config: DiffusionUNetConfig) -> Iterator[Match]:
    if config.residual_resample:
        yield from _res(f"{ours}.res", theirs, widened=False)
    else:
        yield from matches(f"{ours}.conv", f"{theirs}.conv")


def _res(ours: str, theirs: str, widened: bool) -> Iterator[Match]:
    for a, b in RES.items():
        yield from matches(f"{ours}.{a}", f"{theirs}.{b}")
    if widened:
        yield from matches(f"{ours}.skip", f"{theirs}.conv_shortcut")


def modern(name: str) -> str:
    """A name as diffusers writes it today."""
    for old, new in OLD.items():
        name = name.replace(old, new)
    return name

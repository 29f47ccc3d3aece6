"""The weights of `DiffusionUNet` under the names of diffusers' `UNet2DModel`, and of the `UNet2DConditionModel` whose
attentions have keys and values of tokens added, or are spatial transformers.

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
SPATIAL = {"norm1": "norm1", "norm2": "norm2", "norm3": "norm3", "out": "attn1.to_out.0",
    "to_tokens.out": "attn2.to_out.0", "mlp.first": "ff.net.0.proj", "mlp.second": "ff.net.2"}  # fmt: skip
OLD = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""Names of attention in folders that an older diffusers wrote."""


def pairs(config: DiffusionUNetConfig) -> Iterator[Match]:
    """Every tensor of the network, but for the tables of classes and of levels."""
    for ours, theirs in ENDS.items():
        yield from matches(ours, theirs)
    for k, attend in enumerate((any(config.attention), False)):
        yield from _layer(config, f"core.{k}", "mid_block", k, attend, widened=False)
    yield from _way_down(config)
    yield from _way_up(config)


def _way_down(config: DiffusionUNetConfig) -> Iterator[Match]:
    came, place = config.widths[0], 0
    for level, (width, attend) in enumerate(zip(config.widths, config.attention, strict=True)):
        if level:
            yield from _resampler(f"down.{place}", f"down_blocks.{level - 1}.downsamplers.0", config)
            place += 1
        for k in range(config.blocks):
            yield from _layer(
                config, f"down.{place + k}", f"down_blocks.{level}", k, attend, widened=k == 0 and came != width
            )
        came, place = width, place + config.blocks


def _way_up(config: DiffusionUNetConfig) -> Iterator[Match]:
    place = 0
    for level, attend in enumerate(reversed(config.attention)):
        if level:
            yield from _resampler(f"up.{place}", f"up_blocks.{level - 1}.upsamplers.0", config)
            place += 1
        for k in range(config.blocks + 1):
            yield from _layer(config, f"up.{place + k}", f"up_blocks.{level}", k, attend, widened=True)
        place += config.blocks + 1


def _layer(config: DiffusionUNetConfig, ours: str, theirs: str, k: int, attend: bool, widened: bool) -> Iterator[Match]:
    yield from res_pairs(f"{ours}.res", f"{theirs}.resnets.{k}", widened)
    at = f"{theirs}.attentions.{k}"
    if attend and config.spatial:
        yield from _spatial(f"{ours}.attention", at, config)
    elif attend:
        yield from attention_pairs(f"{ours}.attention", at)
        if config.token_width:
            yield from matches(f"{ours}.attention.kv", f"{at}.add_k_proj", f"{at}.add_v_proj")


def attention_pairs(ours: str, theirs: str) -> Iterator[Match]:
    """Those of an attention over a feature map."""
    yield from matches(f"{ours}.norm", f"{theirs}.group_norm")
    yield from matches(f"{ours}.qkv", f"{theirs}.to_q", f"{theirs}.to_k", f"{theirs}.to_v")
    yield from matches(f"{ours}.out", f"{theirs}.to_out.0")


def _spatial(ours: str, theirs: str, config: DiffusionUNetConfig) -> Iterator[Match]:
    for a, b in {"norm": "norm", "enter": "proj_in", "leave": "proj_out"}.items():
        yield from matches(f"{ours}.{a}", f"{theirs}.{b}")
    for i in range(config.spatial):
        block, at = f"{ours}.blocks.{i}", f"{theirs}.transformer_blocks.{i}"
        for a, b in SPATIAL.items():
            yield from matches(f"{block}.{a}", f"{at}.{b}")
        yield Match(f"{block}.qkv.weight", tuple(f"{at}.attn1.to_{letter}.weight" for letter in "qkv"))
        yield Match(f"{block}.to_tokens.q.weight", (f"{at}.attn2.to_q.weight",))
        yield Match(f"{block}.to_tokens.kv.weight", tuple(f"{at}.attn2.to_{letter}.weight" for letter in "kv"))


def _resampler(ours: str, theirs: str, config: DiffusionUNetConfig) -> Iterator[Match]:
    if config.residual_resample:
        yield from res_pairs(f"{ours}.res", theirs, widened=False)
    else:
        yield from matches(f"{ours}.conv", f"{theirs}.conv")


def res_pairs(ours: str, theirs: str, widened: bool, told: bool = True) -> Iterator[Match]:
    """Those of a residual block. widened: whether a convolution fits its input; told: whether it is told a level."""
    for a, b in RES.items():
        if told or a != "film":
            yield from matches(f"{ours}.{a}", f"{theirs}.{b}")
    if widened:
        yield from matches(f"{ours}.skip", f"{theirs}.conv_shortcut")


def modern(name: str) -> str:
    """A name as diffusers writes it today."""
    for old, new in OLD.items():
        name = name.replace(old, new)
    return name

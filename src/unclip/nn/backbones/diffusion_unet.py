"""The U-Net of DDPM and, with other settings, of ADM and GLIDE: residual blocks at full resolution.

    x --3x3--> level 0 --down--> level 1 ... --down--> last level -> core -> last level --up--> ... level 0 --> 3x3

Each feature map of the way down (after the first convolution, each block and each halving) is concatenated to the
input of one block of the way up, so every level has one block more there.

- DDPM (Ho et al. 2020, appendix B): added embedding, strided convolutions, one head; `ddpm_cifar10()`.
- ADM (Dhariwal & Nichol 2021, section 3): scale-shift norms, residual blocks that resample, heads of 64 channels, a
  class vector; `adm_imagenet64()`. GLIDE (Nichol et al. 2021, section 4.1) is the same with text keys and values in
  each attention, `token_width`.
- Latent diffusion (Rombach et al. 2022, section 3.3): DDPM's blocks, and a spatial transformer in the place of each
  attention, `spatial`; `stable_diffusion()`.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core import processes
from unclip.core.condition import Condition
from unclip.core.config.ranges import Count, CountOrNone, Depth, Length, Range, Widths
from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Vectors
from unclip.nn.backbones.config import ImageNetworkConfig, network_input
from unclip.nn.blocks.attention import ImageAttention
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.embed import (
    ConditionEmbedding,
    FeatureEmbedding,
    LevelEmbedding,
    TableEmbedding,
    TimestepEmbedding,
)
from unclip.nn.blocks.init import start_at_zero
from unclip.nn.blocks.layout import laid_out
from unclip.nn.blocks.norm import norm_of
from unclip.nn.blocks.resblock import Resample, ResBlock, ResBlockConfig, resampled, resampling_conv
from unclip.nn.blocks.spatial import SpatialTransformer


@dataclass(frozen=True)
class DiffusionUNetConfig(ImageNetworkConfig):
    """Settings of `DiffusionUNet`. `multipliers` and `attention` have an entry for each level, fine to coarse.

    Args:
        channels: of the images.
        width: channels of the finest level, before its multiplier.
        multipliers: channels of each level in units of `width`; the side is halved from one to the next.
        blocks: residual blocks of each level.
        attention: whether each level has attention after its blocks; the core has it unless no level has.
        head_width: channels of an attention head; 0: a single head.
        heads: the number of them at each level, in the place of `head_width`; (): as many as that makes.
        spatial: blocks of a spatial transformer in the place of each attention, as in latent diffusion; 0: attention.
        block: settings of the residual blocks.
        residual_resample: whether residual blocks change the size, as in ADM; otherwise plain convolutions do, as in
            DDPM.
        pads_evenly: whether the convolutions that halve see a row of zeros on every side, as diffusers' do by default;
            otherwise at the right and the bottom alone, as in DDPM.
        level: what the network is told: "log_snr", "timestep" of DDPM's table, or "table", the features of a table of
            `entries` levels that is kept with the weights (of an imported network).
        entries: of that table.
        vector_width: of `cond.vector`; 0: none.
        token_width: of `cond.tokens`; 0: none.
        image_channels: of `cond.image`; 0: none.
        learned_variance: whether the network returns twice the channels.

    Raises:
        ValueError: for lists of different lengths, and for widths that groups or heads do not divide.
    """

    channels: Count = 3
    width: Count = 128
    multipliers: Widths = (1, 2, 2, 2)
    blocks: Depth = 2
    attention: Annotated[tuple[bool, ...], Length(1, 8)] = (False, True, False, False)
    head_width: CountOrNone = 64
    heads: Annotated[tuple[Depth, ...], Length(0, 8)] = ()
    spatial: Annotated[int, Range(0, 256)] = 0
    block: ResBlockConfig = field(default_factory=lambda: ResBlockConfig(groups=32))
    residual_resample: bool = True
    pads_evenly: bool = False
    level: Literal["log_snr", "timestep", "table"] = "log_snr"
    entries: Annotated[int, Range(2, 100_000)] = 1000
    vector_width: CountOrNone = 0
    token_width: CountOrNone = 0
    image_channels: CountOrNone = 0
    learned_variance: bool = False

    def __post_init__(self) -> None:
        if len(self.multipliers) != len(self.attention):
            raise ValueError(f"multipliers {self.multipliers}, attention {self.attention}: need equal lengths")
        if self.block.groups < 1 or any(w % self.block.groups for w in self.widths):
            raise ValueError(f"block.groups = {self.block.groups}: must divide all widths {self.widths}")
        if len(self.heads) not in (0, len(self.widths)):
            raise ValueError(f"heads = {self.heads}: need a number for each of the {len(self.widths)} levels, or none")
        attended = [w for w, a in zip(self.widths, self.attention, strict=True) if a]
        attended += [self.widths[-1]] * any(self.attention)
        if self.head_width and not self.heads and any(w % self.head_width for w in attended):
            raise ValueError(f"head_width = {self.head_width}: must divide the widths with attention, {attended}")
        if any(w % h for w, h, a in zip(self.widths, self.heads, self.attention, strict=False) if a):
            raise ValueError(f"heads = {self.heads}: must divide the widths with attention, {attended}")

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of the levels, fine to coarse."""
        return tuple(self.width * m for m in self.multipliers)

    @property
    def level_heads(self) -> tuple[int, ...]:
        """The heads of an attention at each level, whether or not it has one."""
        return self.heads or tuple(max(1, w // self.head_width) if self.head_width else 1 for w in self.widths)

    @property
    def attending(self) -> list[int]:
        """The heads of each level; 0: it does not attend."""
        return [heads * attends for heads, attends in zip(self.level_heads, self.attention, strict=True)]

    @property
    def embedding(self) -> int:
        """The width of the embedding of the noise level."""
        return 4 * self.width

    @property
    def multiple(self) -> int:
        """The number of pixels that the sides of an image must be divisible by."""
        return 2 ** (len(self.multipliers) - 1)

    def build(self) -> "DiffusionUNet":
        return DiffusionUNet(self)


def ddpm_cifar10() -> DiffusionUNetConfig:
    """DDPM's CIFAR-10 network (Ho et al. 2020, appendix B): 35.7 M parameters, attention at 16 x 16, dropout 0.1."""
    block = ResBlockConfig(groups=32, eps=1e-6, scale_shift=False, dropout=0.1)
    return DiffusionUNetConfig(head_width=0, block=block, residual_resample=False, level="timestep")


def adm_imagenet64() -> DiffusionUNetConfig:
    """ADM for ImageNet at 64 x 64 (Dhariwal & Nichol 2021, tables 4 and 11): 296 M parameters, one-hot class vector."""
    return DiffusionUNetConfig(
        width=192,
        multipliers=(1, 2, 3, 4),
        blocks=3,
        attention=(False, True, True, True),
        block=ResBlockConfig(groups=32, dropout=0.1),
        vector_width=1000,
        learned_variance=True,
    )


def stable_diffusion() -> DiffusionUNetConfig:
    """Stable Diffusion's network for codes of 64 x 64 x 4 (Rombach et al. 2022; version 1): 860 M parameters."""
    return DiffusionUNetConfig(
        channels=4,
        width=320,
        multipliers=(1, 2, 4, 4),
        attention=(True, True, True, False),
        head_width=0,
        heads=(8, 8, 8, 8),
        spatial=1,
        block=ResBlockConfig(groups=32, scale_shift=False),
        residual_resample=False,
        pads_evenly=True,
        token_width=768,
    )


@dataclass(frozen=True)
class Around:
    """What every block is told beside its input; embedding: after its SiLU; noise: None drops nothing."""

    embedding: Vectors
    cond: Condition
    noise: Noise | None


class UNetLayer(nn.Module):
    """A residual block and, where there are heads, attention."""

    def __init__(self, config: DiffusionUNetConfig, width: int, out: int, heads: int) -> None:
        super().__init__()
        self.res = ResBlock(width, config.embedding, out, config.block)
        self.attention = attention_of(config, out, heads) if heads else None

    def forward(self, x: Tensor, around: Around) -> Tensor:
        x = self.res(x, around.embedding, around.noise)
        return x if self.attention is None else self.attention(x, around.cond.tokens, around.cond.mask)


def attention_of(config: DiffusionUNetConfig, width: int, heads: int) -> ImageAttention | SpatialTransformer:
    """What of a feature map's positions looks at others and at the condition's tokens."""
    block, tokens = config.block, config.token_width
    if config.spatial:
        return SpatialTransformer(width, heads, tokens, config.spatial, block.groups)
    return ImageAttention(width, width // heads, tokens or None, block.groups, block.eps)


class Resampler(nn.Module):
    """Half or twice the size: a residual block, or DDPM's 3x3 convolution."""

    def __init__(self, config: DiffusionUNetConfig, width: int, how: Resample) -> None:
        super().__init__()
        self.res = ResBlock(width, config.embedding, None, config.block, how) if config.residual_resample else None
        self.conv = None if self.res else resampling_conv(width, how, config.pads_evenly)

    def forward(self, x: Tensor, around: Around) -> Tensor:
        if self.res is not None:
            return self.res(x, around.embedding, around.noise)
        assert self.conv is not None
        return resampled(x, self.conv)


class DiffusionUNet(nn.Module):
    """The U-Net of DDPM (Ho et al. 2020), ADM (Dhariwal & Nichol 2021) and GLIDE (Nichol et al. 2021).

    It is called with x [b, c, h, w], log_snr [b] and a `Condition`, and returns the shape of x, or [b, 2 c, h, w] with
    a learned variance. Every residual branch and the output start at zero. Raises ValueError where a side is not
    divisible by `config.multiple`.
    """

    def __init__(self, config: DiffusionUNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, channels = config.widths, config.channels
        self.embedding = ConditionEmbedding(level_embedding(config), config.vector_width, config.embedding)
        self.stem = nn.Conv2d(channels + config.image_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(way_down(config))
        self.core = nn.ModuleList(
            UNetLayer(config, widths[-1], widths[-1], heads)
            for heads in (config.level_heads[-1] * any(config.attention), 0)
        )
        self.up = nn.ModuleList(way_up(config))
        self.out_norm = norm_of(config.block.norm, widths[0], config.block.groups, config.block.eps)
        self.out = nn.Conv2d(widths[0], channels * (2 if config.learned_variance else 1), 3, padding=1)
        start_at_zero([self.out, *(block.conv2 for block in self.modules() if isinstance(block, ResBlock))])

    def forward(self, x: Images, log_snr: PerSample, cond: Condition) -> Float[Tensor, "b c2 h w"]:
        check_size(x, self.config.channels, self.config.multiple)
        around = Around(F.silu(self.embedding(log_snr, cond)), cond, self._noise(x, log_snr))
        h = self.stem(laid_out(network_input(x, cond, self.config.image_channels)))
        skips = [h]
        for part in self.down:
            h = part(h, around)
            skips.append(h)
        for part in self.core:
            h = part(h, around)
        for part in self.up:
            h = part(h if isinstance(part, Resampler) else torch.cat([h, skips.pop()], dim=1), around)
        return self.out(F.silu(self.out_norm(h)))

    def _noise(self, x: Images, log_snr: PerSample) -> Noise | None:
        """Dropout's stream, keyed by the batch itself: levels and states come from the trainer's `Noise`, so a resumed
        run and each of several threads drop what they did before. Costs one wait for the device a training step."""
        if not (self.training and self.config.block.dropout):
            return None
        key = processes.gathered(torch.stack([log_snr.float(), x[:, 0, 0, 0].float()], dim=1).detach())
        noise = Noise.shared("dropout", *map(str, key.t().flatten().tolist()), device=x.device)
        return noise.of(processes.rows(len(x)))


def level_embedding(config: DiffusionUNetConfig) -> FeatureEmbedding:
    """`width` sines and cosines, of the log-SNR or of DDPM's timestep, or as many features from a table; all cost the
    same parameters."""
    if config.level == "timestep":
        return TimestepEmbedding(config.embedding, config.width)
    if config.level == "table":
        return TableEmbedding(config.embedding, config.width, config.entries)
    return LevelEmbedding(config.embedding, config.width // 2)


def way_down(config: DiffusionUNetConfig) -> list[nn.Module]:
    """The modules from the first block to the core; the output of each is kept for the way up."""
    parts: list[nn.Module] = []
    came = config.widths[0]
    for width, heads in zip(config.widths, config.attending, strict=True):
        parts += [Resampler(config, came, "down")] if parts else []
        parts += [UNetLayer(config, came if i == 0 else width, width, heads) for i in range(config.blocks)]
        came = width
    return parts


def way_up(config: DiffusionUNetConfig) -> list[nn.Module]:
    """The modules from the core to the output; each layer also takes the newest map that is kept."""
    parts: list[nn.Module] = []
    came, finer = config.widths[-1], (config.widths[0], *config.widths[:-1])
    for width, heads, before in reversed(list(zip(config.widths, config.attending, finer, strict=True))):
        parts += [Resampler(config, came, "up")] if parts else []
        for kept in [width] * config.blocks + [before]:
            parts.append(UNetLayer(config, came + kept, width, heads))
            came = width
    return parts

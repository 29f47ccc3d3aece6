"""A space-to-depth U-Net for small budgets ("hourglass"): most of the work happens where the image is small.

x --unshuffle(patch)--> level 0 --unshuffle(2), 1x1--> level 1 ... core ... --1x1, shuffle(2)--> + skip --> ...
and a last 3x3 convolution beside the input at full resolution, which draws the edges.
"""

import itertools
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.config.ranges import Blocks, Count, CountOrNone, Length, Patch, Widths
from unclip.core.typing import Float, Images, PerSample
from unclip.nn.backbones.config import ImageNetworkConfig, network_input
from unclip.nn.blocks.attention import ImageAttention
from unclip.nn.blocks.embed import LevelEmbedding
from unclip.nn.blocks.layout import laid_out
from unclip.nn.blocks.norm import Norm, norm_of
from unclip.nn.blocks.resblock import ResBlock, ResBlockConfig


@dataclass(frozen=True)
class UNetConfig(ImageNetworkConfig):
    """Settings of `UNet`. `widths`, `blocks` and `attention` have an entry for each level, from the finest to the core.

    Args:
        channels: of the images.
        patch: the side of the squares that the first layer folds into channels, px.
        widths: channels of each level; the side is halved from one to the next.
        blocks: residual blocks of each level; the core's run once, the others on the way down and again on the way up.
        attention: whether each level has attention after its blocks.
        head_width: channels of an attention head.
        embedding: width of the embedding of the noise level.
        vector_width: of `cond.vector`; 0: none.
        token_width: of `cond.tokens`; 0: none.
        image_channels: of `cond.image`; 0: none.
        fine: channels of the last convolutions at full resolution; 0: without.
        norm: "group", over the whole image, or "position", over the channels of each position.
        learned_variance: whether the network returns twice the channels.

    Raises:
        ValueError: for lists of different lengths, and for widths that the group norms cannot divide.
    """

    channels: Count = 3
    patch: Patch = 4
    widths: Widths = (64, 128)
    blocks: Blocks = (1, 4)
    attention: Annotated[tuple[bool, ...], Length(1, 8)] = (False, True)
    head_width: Count = 32
    embedding: Count = 256
    vector_width: CountOrNone = 0
    token_width: CountOrNone = 0
    image_channels: CountOrNone = 0
    fine: CountOrNone = 16
    norm: Norm = "group"
    learned_variance: bool = False

    def __post_init__(self) -> None:
        if not len(self.widths) == len(self.blocks) == len(self.attention):
            raise ValueError(
                f"widths {self.widths}, blocks {self.blocks}, attention {self.attention}: need equal lengths"
            )

        if any(w > 16 and w % 16 and w % (w // 16) for w in self.widths):
            raise ValueError(f"widths = {self.widths}: each must be a multiple of 16, for the group norms")

    @property
    def multiple(self) -> int:
        """The number of pixels that the sides of an image must be divisible by."""
        return self.patch * 2 ** (len(self.widths) - 1)

    def build(self) -> "UNet":
        return UNet(self)


class Level(nn.Module):
    """Residual blocks at one resolution, each followed by attention where asked."""

    def __init__(self, config: UNetConfig, level: int) -> None:
        super().__init__()
        width, n = config.widths[level], config.blocks[level]
        attend, block = config.attention[level], ResBlockConfig(norm=config.norm)
        self.res = nn.ModuleList(ResBlock(width, config.embedding, config=block) for _ in range(n))
        self.attention = nn.ModuleList(
            ImageAttention(width, config.head_width, config.token_width or None) if attend else nn.Identity()
            for _ in range(n)
        )

    def forward(self, x: Tensor, embedding: Tensor, cond: Condition) -> Tensor:
        for res, attention in zip(self.res, self.attention, strict=True):
            x = res(x, embedding)
            if isinstance(attention, ImageAttention):
                x = attention(x, cond.tokens, cond.mask)
        return x


class UNet(nn.Module):
    """A U-Net for small budgets: most of its work happens where the image is small.

    It is called with x [b, c, h, w], log_snr [b] and a `Condition`, and returns the shape of x, or [b, 2 c, h, w] with
    a learned variance. Sides must be divisible by `config.multiple`.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, area = config.widths, config.patch**2
        self.level_embedding = LevelEmbedding(config.embedding)
        self.vector = nn.Linear(config.vector_width, config.embedding) if config.vector_width else None
        self.stem = nn.Conv2d((config.channels + config.image_channels) * area, widths[0], 3, padding=1)
        self.down = nn.ModuleList(Level(config, i) for i in range(len(widths) - 1))
        self.core = Level(config, len(widths) - 1)
        self.up = nn.ModuleList(Level(config, i) for i in range(len(widths) - 1))
        self.shrink = nn.ModuleList(nn.Conv2d(4 * a, b, 1) for a, b in itertools.pairwise(widths))
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in itertools.pairwise(widths))
        self.out_norm = norm_of(config.norm, widths[0])
        channels = config.channels * (2 if config.learned_variance else 1)
        last = config.fine or channels
        self.out = nn.Conv2d(widths[0], last * area, 3 if not config.fine else 1, padding=0 if config.fine else 1)
        self.fine = Fine(config, channels) if config.fine else None
        if self.fine is None:
            nn.init.zeros_(self.out.weight)

    def forward(self, x: Images, log_snr: PerSample, cond: Condition) -> Float[Tensor, "b c2 h w"]:
        embedding = F.silu(self._embed(log_snr, cond))
        x = network_input(x, cond, self.config.image_channels)
        h = self.stem(laid_out(F.pixel_unshuffle(x, self.config.patch)))
        skips = []
        for level, shrink in zip(self.down, self.shrink, strict=True):
            h = level(h, embedding, cond)
            skips.append(h)
            h = shrink(laid_out(F.pixel_unshuffle(h, 2)))
        h = self.core(h, embedding, cond)
        for level, grow, skip in zip(reversed(self.up), reversed(self.grow), reversed(skips), strict=True):
            h = level(laid_out(F.pixel_shuffle(grow(h), 2)) + skip, embedding, cond)
        h = F.pixel_shuffle(self.out(F.silu(self.out_norm(h))), self.config.patch)
        return h if self.fine is None else self.fine(h, x, embedding)

    def _embed(self, log_snr: Tensor, cond: Condition) -> Tensor:
        embedding = self.level_embedding(log_snr)
        if self.vector is not None and cond.vector is not None:
            embedding = embedding + self.vector(cond.vector)
        return embedding


class Fine(nn.Module):
    """The full-resolution end: features and the input itself through two thin 3x3 convolutions.

    Modulated by the level: at low noise the input is nearly the answer, at high noise it is nearly worthless.
    """

    def __init__(self, config: UNetConfig, channels: int) -> None:
        super().__init__()
        width = config.fine
        self.mix = nn.Conv2d(width + config.channels + config.image_channels, width, 3, padding=1)
        self.film = nn.Linear(config.embedding, 2 * width)
        self.out = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)

    def forward(self, h: Tensor, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        y = self.mix(laid_out(torch.cat([h, x.to(h.dtype)], dim=1)))
        return self.out(F.silu(y * (1 + scale) + shift))

"""A vector becomes an image, and an image a vector.

    w = MLP(z, class)    z --linear--> coarsest level --up--> ... --> level 0 --norm, SiLU, 3x3, shuffle(patch)--> image
    image --unshuffle(patch), 3x3--> level 0 --down--> ... --> coarsest level --norm, SiLU, linear--> vector

Residual blocks throughout; w scales and shifts each of the decoder's (as a style does in StyleGAN, Karras et al. 2019),
the class each of the encoder's. The side is halved from one level to the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Patch, Widths
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.norm import norm_of
from unclip.nn.blocks.resblock import ResBlock


@dataclass(frozen=True)
class VectorCoderConfig(Config):
    """Settings of the networks between vectors and images.

    Args:
        channels: of the images.
        patch: the side of the squares that the first layer folds into channels, px.
        widths: channels of each level, fine to coarse; the side is halved from one to the next.
        blocks: residual blocks of each level.
        embedding: features of the vector that scales and shifts the blocks.
        fine: channels of the decoder's last convolution at full resolution.

    Raises:
        ValueError: for widths that the group norms cannot divide.
    """

    channels: Count = 3
    patch: Patch = 2
    widths: Widths = (32, 64, 128)
    blocks: Depth = 1
    embedding: Count = 128
    fine: Count = 16

    def __post_init__(self) -> None:
        if any((w > 16 and w % (w // 16)) for w in self.widths):
            raise ValueError(f"widths = {self.widths}: each a multiple of 16, for the group norms")

    @property
    def multiple(self) -> int:
        """Sides of images must be divisible by it; the coarsest level's side is the image's over this."""
        return self.patch * 2 ** (len(self.widths) - 1)


def levels(
    widths: Sequence[int],
    blocks: int,
    between: Callable[[int, int], nn.Module],
    block: Callable[[int], nn.Module],
) -> nn.ModuleList:
    """The blocks of each level one after another, and before each level but the first what leads from the width of the
    one before to its own."""
    parts = list[nn.Module]()
    for i, width in enumerate(widths):
        parts += [between(widths[i - 1], width)] if i else []
        parts += [block(width) for _ in range(blocks)]
    return nn.ModuleList(parts)


class VectorDecoder(nn.Module):
    """From z [b, d] and, where there are classes, one-hot vectors [b, k], to [b, out, size, size]."""

    def __init__(self, config: VectorCoderConfig, size: int, d: int, classes: int, out: int) -> None:
        super().__init__()
        self.config, self.side = config, size // config.multiple
        coarse, e = config.widths[-1], config.embedding
        self.enter = nn.Sequential(nn.Linear(d + classes, e), nn.SiLU(), nn.Linear(e, e), nn.SiLU())
        self.stem = nn.Linear(d + classes, coarse * self.side**2)
        fine = config.widths[0]
        self.parts = levels(
            config.widths[::-1],
            config.blocks,
            between=lambda came, width: ResBlock(came, e, width, how="up"),
            block=lambda width: ResBlock(width, e),
        )
        self.norm = norm_of("group", fine)
        self.out = nn.Conv2d(fine, config.fine * config.patch**2, 3, padding=1)
        self.last = nn.Conv2d(config.fine, out, 3, padding=1)
        start_even(self.out, config.patch)

    def forward(self, z: Vectors, classes: Float[Tensor, "b k"]) -> Images:
        z = torch.cat([z, classes.to(z.dtype)], dim=1)
        style = self.enter(z)
        h = self.stem(z).unflatten(1, (self.config.widths[-1], self.side, self.side))
        for part in self.parts:
            h = part(h, style)
        h = F.pixel_shuffle(self.out(F.silu(self.norm(h))), self.config.patch)
        return self.last(F.silu(h))


def start_even(conv: nn.Conv2d, patch: int) -> None:
    """First weights that give all places of a square the same value, so that shuffling it out makes no checkerboard
    (ICNR, Aitken et al. 2017)."""
    for parameter in conv.parameters():
        with torch.no_grad():
            squares = parameter.unflatten(0, (-1, patch**2))
            squares.copy_(squares[:, :1].clone().expand_as(squares))


class VectorEncoder(nn.Module):
    """From images [b, channels, size, size] and one-hot vectors [b, k] to [b, out]."""

    def __init__(self, config: VectorCoderConfig, size: int, classes: int, out: int) -> None:
        super().__init__()
        self.config = config
        fine, coarse = config.widths[0], config.widths[-1]
        self.stem = nn.Conv2d(config.channels * config.patch**2, fine, 3, padding=1)
        self.parts = levels(
            config.widths,
            config.blocks,
            between=lambda came, width: ResBlock(came, classes, width, how="down"),
            block=lambda width: ResBlock(width, classes),
        )
        self.norm = norm_of("group", coarse)
        self.out = nn.Linear(coarse * (size // config.multiple) ** 2, out)

    def forward(self, x: Images, classes: Float[Tensor, "b k"]) -> Float[Tensor, "b out"]:
        """Raises ValueError for images of other channels, or of a side that the levels do not divide."""
        check_size(x, self.config.channels, self.config.multiple)
        h = self.stem(F.pixel_unshuffle(x, self.config.patch))
        for part in self.parts:
            h = part(h, classes.to(h.dtype))
        return self.out(F.silu(self.norm(h)).flatten(1))

"""The net of a judge: a small residual network of convolutions, for images of any side, and what is read from it.

    stem   3x3, 16 channels, at full resolution
    stage  halved by means of 2x2, 3x3 convolution, residual blocks x + conv(relu(conv(relu(x))))

There is no norm: what an image is like must not be divided away, and no image may depend on its batch. From each stage
are read the means over all places of relu(x), and from the fine ones also the standard deviations: what is there, and
how unevenly. Training reads all of them. The features by which sets are compared leave out the finest; each is
standardised by the mean m and the standard deviation s that it has on the images of the recipe, and bounded:

    f = limit tanh((pooled - m) / (limit s))

so that no channel, and no image of an extreme kind, decides alone.
"""

import itertools
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Depth, Positive, Range, Widths
from unclip.core.typing import Float, Images, Tensor, Vectors

SIDES = (16, 256)
"""The smallest and the largest side that a judge looks at, px."""


@dataclass(frozen=True)
class FeatureNetConfig(Config):
    """Settings of `FeatureNet`.

    Args:
        widths: channels at the full side, a half, a quarter, ...
        blocks: residual blocks of each stage after the stem.
        spread: of how many stages, from the stem, the standard deviations are read, too.
        first_mean: the stage from which on means are features. The stem sees edges and grain so strongly that a mild
            blur would weigh more than the loss of all that is shown.
        first_spread: the stage from which on standard deviations are features, below `spread`.
        limit: how many standard deviations a feature can be away from the mean.
    """

    widths: Widths = (16, 32, 48, 80)
    blocks: Depth = 1
    spread: Annotated[int, Range(0, 8)] = 3
    first_mean: Annotated[int, Range(0, 7)] = 1
    first_spread: Annotated[int, Range(0, 8)] = 2
    limit: Positive = 6.0

    def __post_init__(self) -> None:
        if self.first_mean >= len(self.widths):
            raise ValueError(f"first_mean = {self.first_mean}: there are {len(self.widths)} stages, counted from 0")

    def chosen(self) -> list[int]:
        """Which of the numbers that are read are features, in order."""
        found, start = [], 0
        for number, width in enumerate(self.widths):
            kinds = [self.first_mean, self.first_spread] if number < self.spread else [self.first_mean]
            for first in kinds:
                found += range(start, start + width) if number >= first else []
                start += width
        return found

    def build(self) -> "FeatureNet":
        """Makes the network with its first weights."""
        return FeatureNet(self)


class Block(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        with torch.no_grad():  # a branch that begins small: the sum neither explodes nor starts as nothing
            self.second.weight.mul_(0.5)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.second(F.relu(self.first(F.relu(x))))


class FeatureNet(nn.Module):
    """A small residual network of convolutions whose pooled, standardised activations describe an image.

    An image of one channel is taken as gray. What it says of an image does not depend on the images beside it.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, config: FeatureNetConfig) -> None:
        super().__init__()
        self.config, self.chosen = config, config.chosen()
        self.stem = nn.Conv2d(3, config.widths[0], 3, padding=1)
        entries, stages = [self.stem], []
        for narrow, wide in itertools.pairwise(config.widths):
            entries.append(nn.Conv2d(narrow, wide, 3, padding=1))
            stages.append(nn.Sequential(entries[-1], *(Block(wide) for _ in range(config.blocks))))
        self.stages = nn.ModuleList(stages)
        for layer in entries:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.register_buffer("center", torch.zeros(self.read))
        self.register_buffer("scale", torch.ones(self.read))

    @property
    def read(self) -> int:
        """How many numbers `pooled` reads from an image."""
        return sum(self.config.widths) + sum(self.config.widths[: self.config.spread])

    def maps(self, images: Images) -> list[Float[Tensor, "b _ _ _"]]:
        """The activations after each stage, from fine to coarse."""
        x = self.stem(images.expand(-1, 3, -1, -1))
        found = [F.relu(x)]
        for stage in self.stages:
            x = stage(F.avg_pool2d(F.relu(x), 2))
            found.append(F.relu(x))
        return found

    def pooled(self, images: Images) -> Vectors:
        """Means of all stages and standard deviations of the fine ones, as they are, [b, read]."""
        parts = []
        for number, x in enumerate(self.maps(images)):
            mean = x.mean((2, 3))
            parts.append(mean)
            if number < self.config.spread:
                variance = (x - mean[:, :, None, None]).square().mean((2, 3))
                parts.append((variance + 1e-6).sqrt())
        return torch.cat(parts, dim=1)

    def forward(self, images: Images) -> Vectors:
        """The features of images [b, 1 or 3, h, w] in [-1, 1], [b, features]."""
        limit = self.config.limit
        away = (self.pooled(images) - self.center) / self.scale
        return limit * (away[:, self.chosen] / limit).tanh()

    @torch.no_grad()
    def standardise(self, pooled: Float[Tensor, "n d"]) -> None:
        """Takes mean and standard deviation of these `pooled` features of many images as what is usual."""
        self.center.copy_(pooled.mean(0))
        self.scale.copy_(pooled.std(0).clamp(min=1e-3 * float(pooled.std())))

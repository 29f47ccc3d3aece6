"""A multi-scale flow of images (RealNVP, Dinh et al. 2017, section 3.6; Glow, Kingma & Dhariwal 2018, figure 2).

    image --squeeze, steps--> half leaves, half --squeeze, steps--> half leaves, ... --squeeze, steps--> all leaves

A step is actnorm, mix, coupling. What leaves is made N(0, I) by a scale and a shift that what stays tells (of the last
level: the class), so that all of z is N(0, I), and log p(x) = log N(z; 0, I) + the sum of the layers' log-determinants.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Blocks, Count, DepthOrNone, Widths
from unclip.core.typing import Float, Images, PerSample, Tensor, Vectors
from unclip.nn.blocks.checks import check_size
from unclip.nn.flows.layers import ActNorm, Coupling, Invertible, Mix, ScaleShift


@dataclass(frozen=True)
class MultiScaleConfig(Config):
    """Settings of `MultiScale`.

    Args:
        channels: of the images.
        steps: how many steps each level has, fine to coarse; the side is halved before each.
        widths: features of the couplings' networks at each level.
        blocks: residual blocks of each of these networks.

    Raises:
        ValueError: where steps and widths are not as many, and for widths that the group norms cannot divide.
    """

    channels: Count = 3
    steps: Blocks = (4, 4, 4)
    widths: Widths = (32, 64, 128)
    blocks: DepthOrNone = 1

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.widths):
            raise ValueError(f"steps = {self.steps}, widths = {self.widths}: one of each for every level")
        if any((w > 16 and w % (w // 16)) for w in self.widths):
            raise ValueError(f"widths = {self.widths}: each a multiple of 16, for the group norms")

    @property
    def multiple(self) -> int:
        """Sides of images must be divisible by it."""
        return 2 ** len(self.steps)


class MultiScale(nn.Module):
    """x [b, channels, size, size] to z [b, channels size^2] and the log-determinant [b], and back."""

    def __init__(self, config: MultiScaleConfig, size: int, classes: int) -> None:
        super().__init__()
        self.config, self.size = config, size
        came, levels, leaving = config.channels, list[nn.Module](), list[nn.Module]()
        for i, (steps, width) in enumerate(zip(config.steps, config.widths, strict=True)):
            came, last = 4 * came, i == len(config.steps) - 1
            layers = [
                f
                for _ in range(steps)
                for f in (ActNorm(came), Mix(came), Coupling(came, width, config.blocks, classes))
            ]
            # Sequential, not a ModuleList, whose matrices Muon would take: the factors of a mix are triangles.
            levels.append(nn.Sequential(*layers))
            leaving.append(Last(came, classes) if last else ScaleShift(came // 2, came // 2, width, 0, classes))
            came //= 2
        self.levels, self.leaving = nn.Sequential(*levels), nn.Sequential(*leaving)

    def forward(self, x: Images, classes: Float[Tensor, "b k"]) -> tuple[Vectors, PerSample]:
        """z and log |det dz/dx|. Raises ValueError for images of other channels, or of a side that does not fit."""
        check_size(x, self.config.channels, self.config.multiple)
        parts, total = list[Tensor](), x.new_zeros(len(x))
        for layers, leaves in self._levels():
            x = F.pixel_unshuffle(x, 2)
            for layer in layers:
                x, log_det = layer(x, classes)
                total = total + log_det
            out = x
            if not isinstance(leaves, Last):
                x, out = x.chunk(2, dim=1)
            log_scale, shift = leaves(x, classes)
            parts.append((torch.exp(log_scale) * (out + shift)).flatten(1))
            total = total + log_scale.flatten(1).sum(1)
        return torch.cat(parts, dim=1), total

    def inverse(self, z: Vectors, classes: Float[Tensor, "b k"]) -> Images:
        """The x of z."""
        parts = self._parts(z)
        x = parts[-1]
        for (layers, leaves), part in zip(reversed(self._levels()), reversed(parts), strict=True):
            log_scale, shift = leaves(x, classes)
            out = part * torch.exp(-log_scale) - shift
            x = out if isinstance(leaves, Last) else torch.cat([x, out], dim=1)
            for layer in reversed(layers):
                x = layer.inverse(x, classes)
            x = F.pixel_shuffle(x, 2)
        return x

    @torch.no_grad()
    def fit(self, x: Images, classes: Float[Tensor, "b k"]) -> None:
        """Takes the first weights of the actnorms from a batch."""
        for layers, leaves in self._levels():
            x = F.pixel_unshuffle(x, 2)
            for layer in layers:
                layer.fit(x)
                x, _ = layer(x, classes)
            x = x if isinstance(leaves, Last) else x.chunk(2, dim=1)[0]

    def _levels(self) -> list[tuple[list[Invertible], nn.Module]]:
        """The layers of each level, and what makes N(0, I) of what leaves there, fine to coarse."""
        own = [[layer for layer in level.children() if isinstance(layer, Invertible)] for level in self.levels]
        return list(zip(own, self.leaving.children(), strict=True))

    def _parts(self, z: Vectors) -> list[Images]:
        """z as it leaves the levels, fine to coarse."""
        shapes, came, side = list[tuple[int, int, int]](), self.config.channels, self.size
        for i in range(len(self.config.steps)):
            came, side = 4 * came, side // 2
            came = came if i == len(self.config.steps) - 1 else came // 2
            shapes.append((came, side, side))
        sizes = [c * h * w for c, h, w in shapes]
        return [part.unflatten(1, shape) for part, shape in zip(z.split(sizes, dim=1), shapes, strict=True)]


class Last(nn.Module):
    """The log scale and shift of what leaves the coarsest level: one for each channel, and of the class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.zeros(2 * channels))
        self.of_class = nn.Parameter(torch.zeros(classes, 2 * channels))

    def forward(
        self, x: Images, classes: Float[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b c2 h w"], Float[Tensor, "b c2 h w"]]:
        both = self.own + classes.to(x.dtype) @ self.of_class
        log_scale, shift = both[:, :, None, None].expand(-1, -1, *x.shape[2:]).chunk(2, dim=1)
        return log_scale, shift

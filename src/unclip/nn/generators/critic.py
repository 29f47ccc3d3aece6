"""The critic of a GAN of images: one verdict an image, without norms (R3GAN, Huang et al. 2024, section 3.2).

    image --unshuffle(patch), 3x3--> level 0 --down--> ... --> coarsest level --flat, linear--> h
    D(x, c) = v . h + class_c . h / sqrt(width)                                  (Miyato & Koyama 2018, Eq. 3)

A norm would tie the gradient penalties to the rest of the batch or image; residual branches that start at zero hold the
first steps instead (Fixup, Zhang et al. 2019).
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.resblock import Resample, resample
from unclip.nn.generators.vector import VectorCoderConfig, levels

SLOPE = 0.2
"""Of the leaky rectifiers below 0."""


class CriticBlock(nn.Module):
    """x + conv(lrelu(conv(lrelu(x)))), at half the side where `how` is "down"; no norm, the branch starts at zero."""

    def __init__(self, width: int, out: int, how: Resample = "keep") -> None:
        super().__init__()
        self.how: Resample = how
        self.conv1, self.conv2 = nn.Conv2d(width, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Identity() if out == width else nn.Conv2d(width, out, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        y = self.conv1(resample(F.leaky_relu(x, SLOPE), self.how))
        return self.skip(resample(x, self.how)) + self.conv2(F.leaky_relu(y, SLOPE))


def start_awake(modules: Iterable[nn.Module]) -> None:
    """First weights that keep the variance from layer to layer (He et al. 2015, Eq. 14-15), but for the ends of the
    residual branches, which stay zero: torch's own lose most of it on the way, and a critic that hears nothing of the
    image teaches nothing."""
    for module in modules:
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear) and bool(part.weight.any()):
                nn.init.kaiming_normal_(part.weight, a=SLOPE, nonlinearity="leaky_relu")
                if part.bias is not None:
                    nn.init.zeros_(part.bias)


class Critic(nn.Module):
    """From images [b, channels, size, size] and one-hot vectors [b, k] to verdicts [b]: the higher, the more real."""

    def __init__(self, config: VectorCoderConfig, size: int, classes: int) -> None:
        super().__init__()
        self.config = config
        fine, coarse = config.widths[0], config.widths[-1]
        self.stem = nn.Conv2d(config.channels * config.patch**2, fine, 3, padding=1)
        self.parts = levels(
            config.widths,
            config.blocks,
            between=lambda came, width: CriticBlock(came, width, "down"),
            block=lambda width: CriticBlock(width, width),
        )
        self.squeeze = nn.Linear(coarse * (size // config.multiple) ** 2, config.embedding)
        self.verdict = nn.Linear(config.embedding, 1)
        self.project = nn.Linear(classes, config.embedding, bias=False) if classes else None
        start_awake([self.stem, self.squeeze, self.verdict, *self.parts])

    def forward(self, x: Images, classes: Float[Tensor, "b k"]) -> PerSample:
        """Raises ValueError for images of other channels, or of a side that the levels do not divide."""
        check_size(x, self.config.channels, self.config.multiple)
        h = self.stem(F.pixel_unshuffle(x, self.config.patch))
        for part in self.parts:
            h = part(h)
        h = F.leaky_relu(self.squeeze(F.leaky_relu(h, SLOPE).flatten(1)), SLOPE)
        verdict = self.verdict(h)[:, 0]
        if self.project is None:
            return verdict
        return verdict + torch.linalg.vecdot(self.project(classes.to(h.dtype)), h) / h.shape[1] ** 0.5

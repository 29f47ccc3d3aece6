"""A convolutional stem and a transformer over what remains, mean-pooled.

The stem (Xiao et al. 2021, "Early convolutions") replaces a single large patch projection: on small images and
small budgets it learns in a fraction of the steps.
"""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.clip.vision.base import ImageTower, ImageTowerConfig
from unclip.core.config.ranges import Count, Depth, Side, Widths
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.nn.blocks.transformer import Transformer


@dataclass(frozen=True)
class VisionConfig(ImageTowerConfig):
    """Settings of `VisionTower`.

    Args:
        size: the side of the square input, px.
        channels: of the images.
        stem: channels of the convolutions of stride 2, each of which halves the side.
        width: features of a token, and of what comes out.
        layers: transformer blocks.
        heads: attention heads; they must divide `width`.
    """

    size: Side
    channels: Count = 3
    stem: Widths = (32, 64, 128)
    width: Count = 192
    layers: Depth = 3
    heads: Depth = 6

    def __post_init__(self) -> None:
        if self.size % 2 ** len(self.stem):
            raise ValueError(f"size = {self.size}: must be divisible by {2 ** len(self.stem)} for this stem")

    def build(self) -> "VisionTower":
        """Builds the tower with its initial weights."""
        return VisionTower(self)


class VisionTower(ImageTower):
    """An image tower with a convolutional stem (Xiao et al. 2021) before the transformer, for small data.

    It is called with images, [b, c, size, size] in [-1, 1], and returns features, [b, width].
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        widths = (config.channels, *config.stem)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(max(1, b // 16), b), nn.GELU()]
        self.stem = nn.Sequential(*layers, nn.Conv2d(widths[-1], config.width, 3, padding=1))
        side = config.size // 2 ** len(config.stem)
        self.position = nn.Parameter(torch.zeros(side * side, config.width))
        self.transformer = Transformer(config.width, config.layers, config.heads)
        nn.init.normal_(self.position, std=0.02)

    def forward(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        tokens = self.stem(images).flatten(2).transpose(1, 2) + self.position
        tokens = tokens if shift is None else tokens + shift[:, None]
        return F.layer_norm(self.transformer(tokens).mean(1), (tokens.shape[-1],))

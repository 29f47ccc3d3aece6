"""The paper's Vision Transformer (Dosovitskiy et al. 2021; Radford et al. 2021, section 2.4).

    [class, P x_1, ..., P x_n] + positions -> LayerNorm -> transformer -> LayerNorm -> the token of the class

P is one linear projection of whole patches. The norm before the transformer is the CLIP paper's addition. QuickGELU
(OpenCLIP's models have GELU), the class token's and the positions' width^-1/2 and the projection without a bias are
those of its published models.
"""

from dataclasses import dataclass

import torch
from torch import nn

from unclip.clip.vision.base import ImageTower, ImageTowerConfig
from unclip.core.config.ranges import Count, Depth, Patch, Side
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.nn.blocks.transformer import Activation, Transformer


@dataclass(frozen=True)
class ViTConfig(ImageTowerConfig):
    """Settings of `ViT`. ViT-B/32 has size 224, patch 32, width 768 and 12 layers.

    Args:
        size: the side of the square input, px.
        channels: of the images.
        patch: the side of a patch, px.
        width: features of a token, and of what comes out.
        layers: transformer blocks.
        heads: attention heads; they must divide `width`.
        activation: the paper's "quick_gelu", or "gelu".
    """

    size: Side
    channels: Count = 3
    patch: Patch = 8
    width: Count = 192
    layers: Depth = 3
    heads: Depth = 3
    activation: Activation = "quick_gelu"

    def __post_init__(self) -> None:
        if self.patch < 1 or self.size % self.patch:
            raise ValueError(f"patch = {self.patch}: must divide the size of the images, {self.size}")
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads}: must divide the width, {self.width}")

    def build(self) -> "ViT":
        """Builds the tower with its initial weights."""
        return ViT(self)


class ViT(ImageTower):
    """CLIP's vision transformer (Radford et al. 2021).

    It is called with images, [b, c, size, size] in [-1, 1], and returns features, [b, width]. The features are those of
    the class token.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width = config.width
        self.patches = nn.Conv2d(config.channels, width, config.patch, stride=config.patch, bias=False)
        self.token = nn.Parameter(torch.zeros(1, width))  # a matrix, so that it decays: it is no gain and no bias
        self.position = nn.Parameter(torch.zeros((config.size // config.patch) ** 2 + 1, width))
        self.norm = nn.LayerNorm(width)
        self.transformer = Transformer(width, config.layers, config.heads, activation=config.activation)
        for embedding in (self.token, self.position):
            nn.init.normal_(embedding, std=width**-0.5)

    def forward(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(patches), 1, -1), patches], dim=1) + self.position
        tokens = tokens if shift is None else tokens + shift[:, None]
        return self.transformer(self.norm(tokens))[:, 0]

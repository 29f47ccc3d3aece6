"""What every image tower of CLIP is to those who choose among them."""

from abc import ABC, abstractmethod

from torch import nn

from unclip.core.config.base import Config
from unclip.core.typing import Float, Images, Tensor, Vectors


class ImageTowerConfig(Config, ABC):
    """The base class of settings of image towers.

    Args:
        size: the side of the square input, px; a run fills it in.
        channels: of the images.
        width: of the features that come out.
    """

    size: int
    channels: int
    width: int

    @abstractmethod
    def build(self) -> "ImageTower":
        """Builds the tower with its initial weights."""


class ImageTower(nn.Module, ABC):
    """The base class of CLIP's image towers: from images, [b, c, size, size] in [-1, 1], to features, [b, width]."""

    @abstractmethod
    def forward(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        """Computes the features. shift: added to every token, [b, width]; how a noise-aware CLIP is told the level."""

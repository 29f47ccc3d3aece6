"""What every image tower of CLIP is to those who choose among them."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from unclip.core.config.base import Config
from unclip.core.typing import Float, Images, Tensor, Vectors


class ImageTowerConfig(Config, ABC):
    """Base of the towers' settings; size: side of the square input in px; width: of the features that come out."""

    unnamed: ClassVar[str] = "VisionConfig"  # files of 0.1 do not say which: there was one

    size: int
    channels: int
    width: int

    @abstractmethod
    def build(self) -> "ImageTower":
        """The tower with first weights."""


class ImageTower(nn.Module, ABC):
    """pictures [b, c, size, size] in [-1, 1] -> features [b, width]."""

    @abstractmethod
    def forward(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        """shift: [b, width], added to every token; how a noise level is told."""

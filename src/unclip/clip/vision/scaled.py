"""A tower that was trained on images of another size than the run's: they are scaled before it sees them.

The filter is the bicubic one with antialiasing, as CLIP's own preprocessing has it (Radford et al. 2021, code).
"""

from dataclasses import dataclass

import torch.nn.functional as F

from unclip.clip.vision.base import ImageTower, ImageTowerConfig
from unclip.clip.vision.vit import ViTConfig
from unclip.core.config.ranges import Side
from unclip.core.typing import Float, Images, Tensor, Vectors


@dataclass(frozen=True)
class ScaledConfig(ImageTowerConfig):
    """Settings of `ScaledTower`.

    Args:
        size: the side of the square input, px.
        tower: the tower behind it, with a size of its own.
    """

    size: Side
    tower: ViTConfig

    @property
    def channels(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the images."""
        return self.tower.channels

    @property
    def width(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the features that come out."""
        return self.tower.width

    def build(self) -> "ScaledTower":
        """Builds the tower with its initial weights."""
        return ScaledTower(self)


class ScaledTower(ImageTower):
    """Scales images to the size that the tower behind it was trained on; those of that size stay as they are.

    It is called with images, [b, c, size, size] in [-1, 1], and returns that tower's features, [b, width].
    """

    def __init__(self, config: ScaledConfig) -> None:
        super().__init__()
        self.side = config.tower.size
        self.tower = config.tower.build()

    def forward(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        if images.shape[-1] != self.side:
            size = (self.side, self.side)
            images = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(-1, 1)
        return self.tower(images, shift)

"""The place of an image tower in a CLIP that came without one: a text-to-image model needs the text tower alone."""

from dataclasses import dataclass

from unclip.clip.vision.base import ImageTower, ImageTowerConfig
from unclip.core.config.ranges import Count, Side
from unclip.core.typing import Float, Images, Tensor, Vectors


@dataclass(frozen=True)
class NoTowerConfig(ImageTowerConfig):
    """Settings of `NoTower`.

    Args:
        size: the side of the run's images, px.
        channels: of the images.
        width: of features that nothing computes.
    """

    size: Side
    channels: Count = 3
    width: Count = 1

    def build(self) -> "NoTower":
        """Builds the tower, which has no weights."""
        return NoTower()


class NoTower(ImageTower):
    """Stands where a CLIP has no image tower. It is called with images, and always raises ValueError."""

    def forward(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        raise ValueError(
            "this model's CLIP has no image tower, because the folder that it was imported from has none: it draws "
            "from prompts, but cannot look at images; take a run with a whole CLIP for that"
        )

"""CLIP: an image tower and a text tower, trained to meet in one space of unit vectors; and one that sees noise."""

from typing import TYPE_CHECKING

from unclip.core.lazy import lazy

if TYPE_CHECKING:
    from unclip.clip.model import CLIP as CLIP
    from unclip.clip.model import CLIPConfig as CLIPConfig
    from unclip.clip.noisy import NoisyCLIP as NoisyCLIP
    from unclip.clip.noisy import NoisyCLIPConfig as NoisyCLIPConfig
    from unclip.clip.text import TextConfig as TextConfig
    from unclip.clip.text import TextTower as TextTower
    from unclip.clip.vision import ImageTower as ImageTower
    from unclip.clip.vision import ImageTowerConfig as ImageTowerConfig
    from unclip.clip.vision import VisionConfig as VisionConfig
    from unclip.clip.vision import ViTConfig as ViTConfig

_HOMES = {
    "CLIP": "model",
    "CLIPConfig": "model",
    "TextConfig": "text",
    "TextTower": "text",
    "ImageTower": "vision",
    "ImageTowerConfig": "vision",
    "VisionConfig": "vision",
    "ViTConfig": "vision",
    "NoisyCLIP": "noisy",
    "NoisyCLIPConfig": "noisy",
}
"""Public name -> the module below that it is imported from when it is first used."""
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)

"""CLIP's image towers, one file each: `VisionConfig`, a convolutional stem for small data; `ViTConfig`, the paper's;
`ScaledConfig`, one that was trained on images of another size; `NoTowerConfig`, the lack of one."""

from unclip.clip.vision.absent import NoTower, NoTowerConfig
from unclip.clip.vision.base import ImageTower, ImageTowerConfig
from unclip.clip.vision.conv import VisionConfig, VisionTower
from unclip.clip.vision.scaled import ScaledConfig, ScaledTower
from unclip.clip.vision.vit import ViT, ViTConfig

__all__ = [
    "ImageTower",
    "ImageTowerConfig",
    "NoTower",
    "NoTowerConfig",
    "ScaledConfig",
    "ScaledTower",
    "VisionConfig",
    "VisionTower",
    "ViT",
    "ViTConfig",
]

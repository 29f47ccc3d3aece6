"""CLIP: an image tower and a text tower, trained to meet in one space of unit vectors; and one that sees noise.

from unclip.clip import CLIP, CLIPConfig, TextConfig, ViTConfig
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.clip.loss import sigmoid_loss as sigmoid_loss
    from unclip.clip.loss import softmax_loss as softmax_loss
    from unclip.clip.model import CLIP as CLIP
    from unclip.clip.model import CLIPConfig as CLIPConfig
    from unclip.clip.noisy import NoisyCLIP as NoisyCLIP
    from unclip.clip.noisy import NoisyCLIPConfig as NoisyCLIPConfig
    from unclip.clip.text import TextConfig as TextConfig
    from unclip.clip.text import TextEncoder as TextEncoder
    from unclip.clip.text import TextEncoderConfig as TextEncoderConfig
    from unclip.clip.text import TextTower as TextTower
    from unclip.clip.vision import ImageTower as ImageTower
    from unclip.clip.vision import ImageTowerConfig as ImageTowerConfig
    from unclip.clip.vision import VisionConfig as VisionConfig
    from unclip.clip.vision import VisionTower as VisionTower
    from unclip.clip.vision import ViT as ViT
    from unclip.clip.vision import ViTConfig as ViTConfig
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.clip.model": "CLIP CLIPConfig",
            "unclip.clip.text": "TextEncoder TextEncoderConfig TextTower TextConfig",
            "unclip.clip.vision": "ImageTower ImageTowerConfig VisionTower VisionConfig ViT ViTConfig",
            "unclip.clip.noisy": "NoisyCLIP NoisyCLIPConfig",
            "unclip.clip.loss": "softmax_loss sigmoid_loss",
        },
    )

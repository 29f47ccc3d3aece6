"""Train your own DALL-E 2 (unCLIP) from a folder of captioned images.

`import unclip` is cheap: torch is imported when `unclip.load` (or a class below) is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unclip.pipeline.ddpm import DDPMPipeline as DDPMPipeline
    from unclip.pipeline.latent import Inverted as Inverted
    from unclip.pipeline.latent_diffusion import LatentPipeline as LatentPipeline
    from unclip.pipeline.load import load as load
    from unclip.pipeline.settings import Settings as Settings
    from unclip.pipeline.text_to_image import TextToImage as TextToImage

__version__ = "0.1.0"
__all__ = ["__version__", "load", "Settings", "Inverted", "TextToImage", "LatentPipeline", "DDPMPipeline"]

_HOMES = {
    "load": "load",
    "Settings": "settings",
    "Inverted": "latent",
    "TextToImage": "text_to_image",
    "LatentPipeline": "latent_diffusion",
    "DDPMPipeline": "ddpm",
}
"""Name -> the module of `unclip.pipeline` that it is imported from when it is first used."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"unclip.pipeline.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unclip' has no attribute {name!r}")

"""Train your own DALL-E 2 (unCLIP) from a folder of captioned images.

`import unclip` is cheap: torch is imported when one of the names below is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unclip.pipeline.ddpm import DDPMPipeline as DDPMPipeline
    from unclip.pipeline.edit import edit as edit
    from unclip.pipeline.edit import extend as extend
    from unclip.pipeline.enlarge import upsample as upsample
    from unclip.pipeline.invert import invert as invert
    from unclip.pipeline.latent import Inverted as Inverted
    from unclip.pipeline.latent_diffusion import LatentPipeline as LatentPipeline
    from unclip.pipeline.load import load as load
    from unclip.pipeline.manipulate import blend as blend
    from unclip.pipeline.manipulate import diff as diff
    from unclip.pipeline.manipulate import reconstruct as reconstruct
    from unclip.pipeline.manipulate import vary as vary
    from unclip.pipeline.probe import Probe as Probe
    from unclip.pipeline.probe import probe as probe
    from unclip.pipeline.settings import Settings as Settings
    from unclip.pipeline.text_to_image import TextToImage as TextToImage

__version__ = "0.1.0"
_HOMES = {
    "load": "pipeline.load",
    "Settings": "pipeline.settings",
    "TextToImage": "pipeline.text_to_image",
    "LatentPipeline": "pipeline.latent_diffusion",
    "DDPMPipeline": "pipeline.ddpm",
    "edit": "pipeline.edit",
    "extend": "pipeline.edit",
    "upsample": "pipeline.enlarge",
    "vary": "pipeline.manipulate",
    "blend": "pipeline.manipulate",
    "diff": "pipeline.manipulate",
    "invert": "pipeline.invert",
    "reconstruct": "pipeline.manipulate",
    "Inverted": "pipeline.latent",
    "probe": "pipeline.probe",
    "Probe": "pipeline.probe",
}
"""Public name -> the module that it is imported from when it is first used."""
__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"unclip.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unclip' has no attribute {name!r}")

"""Train your own DALL-E 2 (unCLIP) from a folder of captioned images.

`import unclip` is cheap: torch is imported when one of the names below is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unclip.editing.edit import edit as edit
    from unclip.editing.edit import extend as extend
    from unclip.editing.enlarge import upsample as upsample
    from unclip.generation.ddpm import DDPMPipeline as DDPMPipeline
    from unclip.generation.latent_diffusion import LatentPipeline as LatentPipeline
    from unclip.generation.load import load as load
    from unclip.generation.settings import Settings as Settings
    from unclip.generation.text_to_image import TextToImage as TextToImage
    from unclip.latents.invert import invert as invert
    from unclip.latents.inverted import Inverted as Inverted
    from unclip.latents.manipulate import blend as blend
    from unclip.latents.manipulate import diff as diff
    from unclip.latents.manipulate import reconstruct as reconstruct
    from unclip.latents.manipulate import vary as vary
    from unclip.latents.probe import Probe as Probe
    from unclip.latents.probe import probe as probe

__version__ = "0.1.0"
_HOMES = {
    "load": "generation.load",
    "Settings": "generation.settings",
    "TextToImage": "generation.text_to_image",
    "LatentPipeline": "generation.latent_diffusion",
    "DDPMPipeline": "generation.ddpm",
    "edit": "editing.edit",
    "extend": "editing.edit",
    "upsample": "editing.enlarge",
    "vary": "latents.manipulate",
    "blend": "latents.manipulate",
    "diff": "latents.manipulate",
    "invert": "latents.invert",
    "reconstruct": "latents.manipulate",
    "Inverted": "latents.inverted",
    "probe": "latents.probe",
    "Probe": "latents.probe",
}
"""Public name -> the module that it is imported from when it is first used."""
__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"unclip.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unclip' has no attribute {name!r}")

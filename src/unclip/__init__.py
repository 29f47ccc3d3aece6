"""Train your own DALL-E 2 (unCLIP) from a folder of captioned images.

`import unclip` is cheap: torch is imported when one of the names below is first used.
"""

from typing import TYPE_CHECKING

from unclip.core.lazy import lazy

if TYPE_CHECKING:
    from unclip.core.condition import Condition as Condition
    from unclip.core.noise import Noise as Noise
    from unclip.diffusion.process import Diffusion as Diffusion
    from unclip.diffusion.process import DiffusionConfig as DiffusionConfig
    from unclip.diffusion.process import Sampling as Sampling
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
    from unclip.recipes.api.evaluate import evaluate as evaluate
    from unclip.recipes.api.train import train as train
    from unclip.training.plan import Plan as Plan
    from unclip.training.trainer import TrainConfig as TrainConfig
    from unclip.training.trainer import Trainer as Trainer

__version__ = "0.1.0"
_HOMES = {
    "train": "recipes.api.train",
    "evaluate": "recipes.api.evaluate",
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
    "Diffusion": "diffusion.process",
    "DiffusionConfig": "diffusion.process",
    "Sampling": "diffusion.process",
    "Condition": "core.condition",
    "Noise": "core.noise",
    "Trainer": "training.trainer",
    "TrainConfig": "training.trainer",
    "Plan": "training.plan",
}
"""Public name -> the module that it is imported from when it is first used."""
__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)

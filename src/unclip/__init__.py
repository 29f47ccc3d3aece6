"""Train your own DALL-E 2 (unCLIP) from a folder of captioned images.

`import unclip` is cheap: torch is imported when one of the names below is first used.
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

__version__ = "0.2.0"

if TYPE_CHECKING:
    from unclip import clip as clip
    from unclip import data as data
    from unclip import diffusion as diffusion
    from unclip import judges as judges
    from unclip import nn as nn
    from unclip import training as training
    from unclip.core.condition import Condition as Condition
    from unclip.core.config.base import Config as Config
    from unclip.core.config.ranges import Range as Range
    from unclip.core.noise import Noise as Noise
    from unclip.diffusion.process import Diffusion as Diffusion
    from unclip.diffusion.process import DiffusionConfig as DiffusionConfig
    from unclip.diffusion.process import Sampling as Sampling
    from unclip.editing.edit import edit as edit
    from unclip.editing.edit import extend as extend
    from unclip.editing.enlarge import upsample as upsample
    from unclip.generation.base import ImageModel as ImageModel
    from unclip.generation.ddpm import DDPMPipeline as DDPMPipeline
    from unclip.generation.latent_diffusion import LatentPipeline as LatentPipeline
    from unclip.generation.load import load as load
    from unclip.generation.one_pass import FlowPipeline as FlowPipeline
    from unclip.generation.one_pass import GANPipeline as GANPipeline
    from unclip.generation.one_pass import VAEPipeline as VAEPipeline
    from unclip.generation.priors import with_prior as with_prior
    from unclip.generation.settings import Settings as Settings
    from unclip.generation.text_to_image import TextToImage as TextToImage
    from unclip.images.files import grid as grid
    from unclip.images.files import save_picture as save_picture
    from unclip.images.files import tile as tile
    from unclip.images.read import read_image as read_image
    from unclip.interop.hub.mixin import hub_class as hub_class
    from unclip.interop.hub.pretrained import from_pretrained as from_pretrained
    from unclip.interop.hub.pretrained import push_to_hub as push_to_hub
    from unclip.interop.hub.pretrained import save_pretrained as save_pretrained
    from unclip.latents.invert import invert as invert
    from unclip.latents.inverted import Inverted as Inverted
    from unclip.latents.manipulate import blend as blend
    from unclip.latents.manipulate import diff as diff
    from unclip.latents.manipulate import reconstruct as reconstruct
    from unclip.latents.manipulate import vary as vary
    from unclip.latents.probe import Probe as Probe
    from unclip.latents.probe import probe as probe
    from unclip.latents.zero_shot import classify as classify
    from unclip.models.classifier import ClassifierConfig as ClassifierConfig
    from unclip.models.classifier import NoisyClassifier as NoisyClassifier
    from unclip.recipes.api.evaluate import evaluate as evaluate
    from unclip.recipes.api.train import train as train
    from unclip.recipes.events import Gate as Gate
    from unclip.recipes.events import ImageSaved as ImageSaved
    from unclip.recipes.events import Note as Note
    from unclip.recipes.events import Progress as Progress
    from unclip.recipes.events import Stopped as Stopped
    from unclip.recipes.events import Working as Working
    from unclip.recipes.settings.run import RunConfig as RunConfig
    from unclip.recipes.start.asked import Start as Start
    from unclip.runs.folder import RunFolder as RunFolder
    from unclip.runs.lora import Lora as Lora
    from unclip.runs.modules import load_stage as load_stage
    from unclip.training.plan import Plan as Plan
    from unclip.training.trainer import TrainConfig as TrainConfig
    from unclip.training.trainer import Trainer as Trainer
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.recipes.api.train": "train",
            "unclip.recipes.api.evaluate": "evaluate",
            "unclip.recipes.events": "Note Progress Working ImageSaved Gate Stopped",
            "unclip.recipes.settings.run": "RunConfig",
            "unclip.recipes.start.asked": "Start",
            "unclip.runs.folder": "RunFolder",
            "unclip.runs.lora": "Lora",
            "unclip.runs.modules": "load_stage",
            "unclip.generation.load": "load",
            "unclip.generation.settings": "Settings",
            "unclip.generation.base": "ImageModel",
            "unclip.generation.text_to_image": "TextToImage",
            "unclip.generation.latent_diffusion": "LatentPipeline",
            "unclip.generation.ddpm": "DDPMPipeline",
            "unclip.generation.one_pass": "VAEPipeline FlowPipeline GANPipeline",
            "unclip.generation.priors": "with_prior",
            "unclip.editing.edit": "edit extend",
            "unclip.editing.enlarge": "upsample",
            "unclip.interop.hub.mixin": "hub_class",
            "unclip.interop.hub.pretrained": "from_pretrained save_pretrained push_to_hub",
            "unclip.latents.manipulate": "vary blend diff reconstruct",
            "unclip.latents.invert": "invert",
            "unclip.latents.inverted": "Inverted",
            "unclip.latents.probe": "probe Probe",
            "unclip.latents.zero_shot": "classify",
            "unclip.images.read": "read_image",
            "unclip.images.files": "save_picture grid tile",
            "unclip.models.classifier": "NoisyClassifier ClassifierConfig",
            "unclip.diffusion.process": "Diffusion DiffusionConfig Sampling",
            "unclip.core.condition": "Condition",
            "unclip.core.noise": "Noise",
            "unclip.core.config.base": "Config",
            "unclip.core.config.ranges": "Range",
            "unclip.training.trainer": "Trainer TrainConfig",
            "unclip.training.plan": "Plan",
        },
        "clip data diffusion judges nn training",
    )

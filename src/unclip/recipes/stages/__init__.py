"""The stages, a file each: importing this room makes all of them known."""

from unclip.recipes.stages.autoencoder import AutoencoderRecipe
from unclip.recipes.stages.classifier import ClassifierRecipe
from unclip.recipes.stages.clip import CLIPRecipe
from unclip.recipes.stages.ddpm import DDPMRecipe
from unclip.recipes.stages.decoder import DecoderRecipe
from unclip.recipes.stages.distilled import DistilledRecipe
from unclip.recipes.stages.families.flow import FlowRecipe
from unclip.recipes.stages.families.gan import GANRecipe
from unclip.recipes.stages.families.vae import VAERecipe
from unclip.recipes.stages.inpaint import InpaintRecipe
from unclip.recipes.stages.inpaint_upsampler import InpaintUpsamplerRecipe
from unclip.recipes.stages.latent import LatentRecipe
from unclip.recipes.stages.noisy_clip import NoisyCLIPRecipe
from unclip.recipes.stages.priors.autoregressive import AutoregressivePriorRecipe
from unclip.recipes.stages.priors.contrastive import ContrastivePriorRecipe
from unclip.recipes.stages.priors.diffusion import PriorRecipe
from unclip.recipes.stages.upsampler import UpsamplerRecipe

__all__ = [
    "AutoencoderRecipe",
    "AutoregressivePriorRecipe",
    "CLIPRecipe",
    "ClassifierRecipe",
    "ContrastivePriorRecipe",
    "DDPMRecipe",
    "DecoderRecipe",
    "DistilledRecipe",
    "FlowRecipe",
    "GANRecipe",
    "InpaintRecipe",
    "InpaintUpsamplerRecipe",
    "LatentRecipe",
    "NoisyCLIPRecipe",
    "PriorRecipe",
    "UpsamplerRecipe",
    "VAERecipe",
]

"""Whole runs: the settings, the stages, and what a stage of your own is made of.

Importing any module of this room makes all stages known, for settings name them.
"""

from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import Feed, PictureFeed
from unclip.recipes.gates import judge, pairs_of
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import (
    AutoencoderRecipe,
    AutoregressivePriorRecipe,
    ClassifierRecipe,
    CLIPRecipe,
    ContrastivePriorRecipe,
    DDPMRecipe,
    DecoderRecipe,
    FlowRecipe,
    GANRecipe,
    InpaintRecipe,
    InpaintUpsamplerRecipe,
    LatentRecipe,
    NoisyCLIPRecipe,
    PriorRecipe,
    UpsamplerRecipe,
    VAERecipe,
)
from unclip.recipes.stages.base import Stage, StageRecipe

__all__ = [
    "PRESETS",
    "AutoencoderRecipe",
    "AutoregressivePriorRecipe",
    "CLIPRecipe",
    "ClassifierRecipe",
    "Context",
    "ContrastivePriorRecipe",
    "DDPMRecipe",
    "DecoderRecipe",
    "Feed",
    "FlowRecipe",
    "GANRecipe",
    "Gate",
    "InpaintRecipe",
    "InpaintUpsamplerRecipe",
    "LatentRecipe",
    "NoisyCLIPRecipe",
    "PictureFeed",
    "PriorRecipe",
    "Recipe",
    "RunConfig",
    "Stage",
    "StageRecipe",
    "UpsamplerRecipe",
    "VAERecipe",
    "judge",
    "pairs_of",
]

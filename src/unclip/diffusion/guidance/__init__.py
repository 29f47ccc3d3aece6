"""Guidance: turns a conditional denoiser into a plain one, one file an idea. Formulas: docs/guidance.md.

Two branches: `ClassifierFree`, `ZeroStar`, `APG`. A worse model: `Autoguidance`. A distilled
one: `GuidanceInput`. A gradient: `ClassifierGuidance`,
`CLIPGuidance`. Around another one: `LimitedInterval`, `Rescale`, `StaticThreshold`, `DynamicThreshold`, and
`NegativePrompt`, which gives it another second branch.
"""

from unclip.diffusion.guidance.as_input import GuidanceInput
from unclip.diffusion.guidance.autoguidance import Autoguidance, under
from unclip.diffusion.guidance.base import Guidance, Guided, Unguided
from unclip.diffusion.guidance.classifier_free import ClassifierFree
from unclip.diffusion.guidance.forms import FORMS, by_name, name_of, takes_scale
from unclip.diffusion.guidance.gradient import ClassifierGuidance, CLIPGuidance, GradientGuidance, LogLikelihood
from unclip.diffusion.guidance.interval import LimitedInterval
from unclip.diffusion.guidance.negative import NegativePrompt
from unclip.diffusion.guidance.projected import APG
from unclip.diffusion.guidance.rescale import Rescale
from unclip.diffusion.guidance.threshold import DynamicThreshold, StaticThreshold
from unclip.diffusion.guidance.zero_star import ZeroStar

__all__ = [
    "Guidance",
    "Guided",
    "Unguided",
    "ClassifierFree",
    "ZeroStar",
    "APG",
    "Autoguidance",
    "GuidanceInput",
    "GradientGuidance",
    "LogLikelihood",
    "ClassifierGuidance",
    "CLIPGuidance",
    "LimitedInterval",
    "Rescale",
    "StaticThreshold",
    "DynamicThreshold",
    "NegativePrompt",
    "FORMS",
    "by_name",
    "name_of",
    "takes_scale",
    "under",
]

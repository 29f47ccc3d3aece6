"""What a training error costs, beside its weight: its form, which levels are drawn, what is learned about it.

`error`: squared, Huber, pseudo-Huber. `sampling`: stratified and loss-aware levels. `uncertainty`: EDM2's. `hybrid`:
iDDPM's bound for a learned variance. Formulas: docs/losses.md.
"""

from unclip.diffusion.losses.error import ErrorForm, Huber, PseudoHuber, Squared
from unclip.diffusion.losses.hybrid import VarianceTerm
from unclip.diffusion.losses.sampling import LevelSample, LevelSampler, LevelSampling, LossAware, Stratified
from unclip.diffusion.losses.uncertainty import Uncertainty

__all__ = [
    "ErrorForm",
    "Squared",
    "Huber",
    "PseudoHuber",
    "LevelSampling",
    "LevelSampler",
    "Stratified",
    "LossAware",
    "LevelSample",
    "Uncertainty",
    "VarianceTerm",
]

"""Schedules: time lives here and nowhere else. A schedule maps t in [0, 1] (clean to noisy) to the log-SNR.

`tables`: T betas (DDPM). `continuous`: functions of time. `karras`: EDM's polynomial. `distributions`: stated by the
levels that training draws. `learned`: a network, learned beside the denoiser. Formulas: docs/schedules.md.
"""

from unclip.diffusion.schedules.base import Schedule
from unclip.diffusion.schedules.continuous import Cosine, RectifiedFlow, Shifted, Sigmoid, Tabulated
from unclip.diffusion.schedules.distributions import Laplace, LogitNormal, LogNormal
from unclip.diffusion.schedules.karras import Karras
from unclip.diffusion.schedules.learned import LearnedLevels, LearnedSchedule
from unclip.diffusion.schedules.tables import (
    BetaTable,
    CosineBeta,
    GivenBetas,
    LinearBeta,
    QuadraticBeta,
    ScaledLinearBeta,
    SigmoidBeta,
    ZeroTerminalSNR,
)

__all__ = [
    "Schedule",
    "BetaTable",
    "LinearBeta",
    "QuadraticBeta",
    "ScaledLinearBeta",
    "SigmoidBeta",
    "CosineBeta",
    "GivenBetas",
    "ZeroTerminalSNR",
    "Cosine",
    "Sigmoid",
    "RectifiedFlow",
    "Tabulated",
    "Shifted",
    "Karras",
    "LogNormal",
    "LogitNormal",
    "Laplace",
    "LearnedSchedule",
    "LearnedLevels",
]

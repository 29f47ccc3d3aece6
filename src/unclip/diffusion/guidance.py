"""Guidance: turns a conditional denoiser into a plain one.

`ClassifierFree` (Ho & Salimans 2022, Eq. 6): eps = eps_null + scale (eps_cond - eps_null), here on x0, which is the
same line because x0 is affine in eps at a fixed x.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from unclip.core.condition import Condition
from unclip.core.config import Config
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise, Denoise, Prediction


class Guidance(Config, ABC):
    """Base of all guidance."""

    @abstractmethod
    def __call__(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Denoise:
        """A denoiser with the conditions built in."""


@dataclass(frozen=True)
class Unguided(Guidance):
    """The conditional denoiser as it is."""

    def __call__(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Denoise:
        return lambda x, log_snr: denoiser(x, log_snr, cond)


@dataclass(frozen=True)
class ClassifierFree(Guidance):
    """scale 1 is no guidance. Both branches run as one batch. limit: clamp of the guided x0 (None: no clamp)."""

    scale: float = 3.0
    limit: float | None = None

    def __call__(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Denoise:
        if self.scale == 1:
            return Unguided()(denoiser, cond, null)
        both = Condition.cat([cond, null])

        def denoise(x: State, log_snr: LogSNR) -> Prediction:
            levels = log_snr.repeat(2) if log_snr.dim() else log_snr
            with_cond, without = denoiser(torch.cat([x, x]), levels, both).x0.chunk(2)
            x0 = without + self.scale * (with_cond - without)
            return Prediction.from_x0(x0 if self.limit is None else x0.clamp(-self.limit, self.limit), x, log_snr)

        return denoise

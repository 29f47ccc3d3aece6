"""Guidance in a limited interval of noise levels (Kynkäänniemi et al. 2024).

Early, at high noise, guidance narrows the choice to few outcomes; late, at low noise, it costs an evaluation and
changes nothing. In between it is worth its price. Their interval of EDM's sigma is here one of log-SNR, -2 ln sigma.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

import torch

from unclip.core.condition import Condition
from unclip.core.config.ranges import Range
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, Unguided, guided
from unclip.diffusion.guidance.classifier_free import ClassifierFree
from unclip.diffusion.level import like


@dataclass(frozen=True)
class LimitedInterval(Guidance):
    """Guidance in an interval of noise levels only (Kynkäänniemi et al. 2024); elsewhere the condition alone.

    The default is sigma/alpha in (0.28, 2.90], about where the paper found the best for EDM2-S (data of std 0.5).

    Args:
        of: the guidance to limit.
        low: the noisiest log-SNR at which it works.
        high: the log-SNR below which it works.

    Raises:
        ValueError: where `low` is not below `high`.
    """

    of: Guidance = field(default_factory=ClassifierFree)
    low: Annotated[float, Range(-math.inf, math.inf)] = -2.13
    high: Annotated[float, Range(-math.inf, math.inf)] = 2.55

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low}, high = {self.high}: an interval of log-SNR, low (noisier) first")

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        inside, outside = (g.guide(denoiser, cond, null) for g in (self.of, Unguided()))

        def at(x: State, log_snr: LogSNR) -> Guided:
            level = like(log_snr, x)
            within = (self.low <= level) & (level < self.high)
            if within.all():
                return inside(x, log_snr)
            if not within.any():
                return outside(x, log_snr)
            found = inside(x, log_snr)
            x0 = torch.where(within, found.prediction.x0, found.conditional.x0)
            return guided(x0, x, log_snr, found.conditional)

        return at

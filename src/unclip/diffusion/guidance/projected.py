"""Adaptive projected guidance (APG; Sadat et al. 2024), on x0.

    d = x0_cond - x0_null + momentum * d_before;   d = d min(1, norm_threshold / |d|)
    x0 = x0_cond + (scale - 1) (d_orthogonal + eta d_parallel),   parallel to x0_cond, for each sample

The parallel part is what saturates colours, the orthogonal part brings detail. A negative momentum pushes away from
where the last step went; the threshold keeps single steps small.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from unclip.core.condition import Condition
from unclip.core.config.ranges import Range, Signed
from unclip.core.typing import LogSNR, State, Tensor
from unclip.core.untyped import norm
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, Unguided, branches, guided


@dataclass(frozen=True)
class APG(Guidance):
    """Adaptive projected guidance (Sadat et al. 2024): leaves out the part of the update that saturates colours.

    With eta = 1, momentum = 0 and norm_threshold = 0 it is classifier-free guidance.

    Args:
        scale: how strong it is; 1: no guidance.
        eta: the share that is kept of the part parallel to the conditional estimate.
        norm_threshold: the largest L2 norm of a sample's update; 0: any. It grows with the root of the number of
            dimensions; the paper tunes it by model, from 2.5 to 15.
        momentum: the weight of the last update; below 0, it pushes away from it.
    """

    scale: Signed = 3.0
    eta: Signed = 0.0
    norm_threshold: Annotated[float, Range(0, math.inf)] = 15.0
    momentum: Annotated[float, Range(-1, 1, above=True, below=True)] = -0.5

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        if self.scale == 1:
            return Unguided().guide(denoiser, cond, null)
        both = branches(denoiser, cond, null)
        past: Tensor | None = None

        def at(x: State, log_snr: LogSNR) -> Guided:
            nonlocal past
            with_cond, without = both(x, log_snr)
            d = with_cond.x0 - without.x0
            past = d if past is None else d + self.momentum * past
            x0 = with_cond.x0 + (self.scale - 1) * self.update(past, with_cond.x0)
            return guided(x0, x, log_snr, with_cond)

        return at

    def update(self, d: State, direction: State) -> Tensor:
        """Shortens the update d and keeps the fraction eta of its part along `direction`; both [b, ...]."""
        if self.norm_threshold:
            d = d * (self.norm_threshold / length(d).clamp(min=self.norm_threshold))
        unit = direction / length(direction).clamp(min=1e-12)
        parallel = (d * unit).sum(tuple(range(1, d.dim())), keepdim=True) * unit
        return d - parallel + self.eta * parallel


def length(x: State) -> Tensor:
    """L2 norm of each sample, shaped to multiply it."""
    return norm(x, tuple(range(1, x.dim())), keepdim=True)

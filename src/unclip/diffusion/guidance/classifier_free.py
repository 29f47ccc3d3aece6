"""Classifier-free guidance (Ho & Salimans 2022, Eq. 6): eps = eps_null + scale (eps_cond - eps_null).

Here on x0, which is the same line because x0 is affine in eps at a fixed x.
"""

from dataclasses import dataclass

from unclip.core.condition import Condition
from unclip.core.config.ranges import Positive, Signed
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, Unguided, branches, guided


@dataclass(frozen=True)
class ClassifierFree(Guidance):
    """Classifier-free guidance (Ho & Salimans 2022, Eq. 6): null + scale (conditional - null). Two evaluations a step.

    Args:
        scale: how strong it is; 1: no guidance, at one evaluation a step.
        limit: clamps the guided x0 to [-limit, limit]; None: no clamp.
    """

    scale: Signed = 3.0
    limit: Positive | None = None

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        if self.scale == 1:
            return Unguided().guide(denoiser, cond, null)
        both = branches(denoiser, cond, null)

        def at(x: State, log_snr: LogSNR) -> Guided:
            with_cond, without = both(x, log_snr)
            x0 = without.x0 + self.scale * (with_cond.x0 - without.x0)
            return guided(x0 if self.limit is None else x0.clamp(-self.limit, self.limit), x, log_snr, with_cond)

        return at

"""Guidance as an input of the network (Meng et al. 2023, "On distillation of guided diffusion models", section 3.1).

A student has learned what classifier-free guidance of scale w makes of its teacher,

    x0(x, l, w) = c + (w - 1)(c - n)        c, n: the teacher with the condition, and without

and is told w beside the noise level: one evaluation a step in the place of two. The same student may have learned to
jump (consistency models, Song et al. 2023): then its x0 is no mean of all that is possible, but the end of the path
of the probability-flow ODE through x.
"""

from dataclasses import dataclass, replace

import torch

from unclip.core.condition import Condition
from unclip.core.config.base import runtime
from unclip.core.config.ranges import Positive
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided


@dataclass(frozen=True)
class GuidanceInput(Guidance):
    """Guidance as an input of a distilled network (Meng et al. 2023, section 3.1). One evaluation a step.

    Args:
        scale: how strong it is; 1: no guidance.
        jump: whether x0 is the end of the ODE's path (for `Consistency`), not the mean of all that is possible.
        student: the denoiser of the distilled network, which takes the place of the other one. It is not a setting and
            is not stored: give it in code, or by `using`.
    """

    scale: Positive = 2.0
    jump: bool = False
    student: ConditionalDenoise | None = runtime()

    @property
    def sees_null(self) -> bool:
        return False

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        """As for every `Guidance`. Raises ValueError without a student."""
        student = self.student
        if student is None:
            raise ValueError(
                "GuidanceInput: no distilled network; `unclip distill RUN` trains one, and in code it is given by "
                "guidance.using(student=student.diffusion.denoiser)"
            )

        def at(x: State, log_snr: LogSNR) -> Guided:
            told = torch.tensor([self.scale, float(self.jump)], device=x.device).expand(len(x), 2)
            p = student(x, log_snr, replace(cond, guidance=told))
            return Guided(p, p)

        return at

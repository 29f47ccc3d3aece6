"""Guidance that changes what another guidance estimates."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from unclip.core.condition import Condition
from unclip.core.typing import LogSNR, State, Tensor
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, guided
from unclip.diffusion.guidance.classifier_free import ClassifierFree


@dataclass(frozen=True)
class Adjusted(Guidance, ABC):
    """Base of all that need only the clean estimate of `of` and the conditional one."""

    of: Guidance = field(default_factory=ClassifierFree)

    @abstractmethod
    def adjust(self, x0: State, conditional: State) -> Tensor:
        """The guided clean estimate, changed."""

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        inner = self.of.guide(denoiser, cond, null)

        def at(x: State, log_snr: LogSNR) -> Guided:
            found = inner(x, log_snr)
            return guided(self.adjust(found.prediction.x0, found.conditional.x0), x, log_snr, found.conditional)

        return at

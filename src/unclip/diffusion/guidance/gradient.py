"""Guidance by the gradient of another model that sees noised data.

Classifier guidance (Dhariwal & Nichol 2021, alg. 2):  eps = eps - scale sigma grad_x log p(y | x, level)
CLIP guidance (GLIDE, Nichol et al. 2021, section 2.4):  the same with CLIP's f(x, level) . g(caption) for log p

    x0 = x0 + scale (sigma^2 / alpha) grad_x log p(y | x, level)

At scale 1, with the exact classifier and the unconditional model, this is Bayes' rule: the exact conditional model. For
DDPM's steps they move the mean instead, mu + scale Sigma grad (alg. 1): the same in the limit of small steps.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from unclip.core.condition import Condition
from unclip.core.config.base import runtime
from unclip.core.config.ranges import Weight
from unclip.core.typing import LogSNR, PerSample, State
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, Unguided, guided
from unclip.diffusion.level import alpha, like


@runtime_checkable
class LogLikelihood(Protocol):
    """log p(y | x, level) up to a constant, for the y that each sample of the batch is wanted to have."""

    def __call__(self, x: State, log_snr: LogSNR) -> PerSample: ...


@dataclass(frozen=True)
class GradientGuidance(Guidance, ABC):
    """scale: 0 is none. of: whose estimate is moved; `Unguided`, or classifier-free where both shall guide.

    log_p: no setting, give it in code or by `using`; one for each batch, since it knows what each sample shall be.
    """

    scale: Weight = 1.0
    of: Guidance = field(default_factory=Unguided)
    log_p: LogLikelihood | None = runtime()

    @property
    @abstractmethod
    def maker(self) -> str:
        """The call that makes `log_p`, for whoever forgot it."""

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        """Raises ValueError without a `log_p`."""
        inner, log_p = self.of.guide(denoiser, cond, null), self.log_p
        if log_p is None:
            raise ValueError(f"{type(self).__name__}: has no model; give it one: guidance.using(log_p={self.maker})")

        def at(x: State, log_snr: LogSNR) -> Guided:
            found, level = inner(x, log_snr), like(log_snr, x)
            push = torch.sigmoid(-level) / alpha(level) * gradient(log_p, x, log_snr)
            return guided(found.prediction.x0 + self.scale * push, x, log_snr, found.conditional)

        return at


@dataclass(frozen=True)
class ClassifierGuidance(GradientGuidance):
    """Classifier guidance (Dhariwal & Nichol 2021, algorithm 2), by a classifier that sees noise (`NoisyClassifier`).

    Args:
        scale: how strong it is; 0: none. 1 with an exact classifier and an unconditional model is Bayes' rule.
        of: the guidance that it is added to; `Unguided`, or `ClassifierFree` to use both.
        log_p: log p(label | x, level), as `classifier.log_p(labels)` makes it for a batch. It is not a setting and
            not stored: give it in code, or by `using`.
    """

    @property
    def maker(self) -> str:
        return "classifier.log_p(labels)"


@dataclass(frozen=True)
class CLIPGuidance(GradientGuidance):
    """CLIP guidance (GLIDE, Nichol et al. 2021, section 2.4), by a CLIP that sees noise (`NoisyCLIP`).

    Args:
        scale: how strong it is; 0: none.
        of: the guidance that it is added to; `Unguided`, or `ClassifierFree` to use both.
        log_p: the similarity to the captions, as `noisy_clip.log_p(ids, mask)` makes it for a batch. It is not a
            setting and not stored: give it in code, or by `using`.
    """

    @property
    def maker(self) -> str:
        return "noisy_clip.log_p(ids, mask)"


def gradient(log_p: LogLikelihood, x: State, log_snr: LogSNR) -> Tensor:
    """grad_x of each sample's log p, also where a sampler has switched gradients off."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(log_p(leaf, log_snr).sum(), leaf)[0]

"""What every guidance is: it turns a conditional denoiser into a plain one.

A guidance changes the clean estimate x0; eps follows from x = alpha x0 + sigma eps, so that each of them means the same
in eps, v or any other form. Wrappers take another guidance (`of`) and get its estimate together with the conditional
one that it was made from, so that nothing is evaluated twice.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar, cast

import torch

from unclip.core.condition import Condition
from unclip.core.config.base import Config, stored
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise, Denoise, Prediction

G = TypeVar("G", bound="Guidance")


@dataclass(frozen=True)
class Guided:
    """The guided prediction at one state, and the conditional prediction that it was made from."""

    prediction: Prediction
    conditional: Prediction


Guide = Callable[[State, LogSNR], Guided]
"""What `Guidance.guide` returns: from a state, [b, ...], and its log-SNR to both predictions."""
Branches = Callable[[State, LogSNR], tuple[Prediction, Prediction]]


class Guidance(Config, ABC):
    """The base class of all guidance: turns a conditional denoiser into a plain one that a sampler can walk.

    One of your own is a frozen dataclass that defines `guide` (docs/guidance.md).
    """

    @abstractmethod
    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        """Makes a function of (x, log-SNR) that returns the guided and the conditional prediction.

        What it remembers from step to step (a momentum) starts afresh with each call.

        Args:
            denoiser: the conditional denoiser.
            cond: the condition wanted, b rows.
            null: the condition to lead away from, b rows.
        """

    def __call__(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Denoise:
        """Makes the guided denoiser for one walk of a sampler; the arguments are those of `guide`."""
        guide = self.guide(denoiser, cond, null)
        return lambda x, log_snr: guide(x, log_snr).prediction

    def using(self: G, **parts: object) -> G:
        """Returns a copy, also of all guidances within, that holds models which settings cannot hold.

        `settings.using(worse=early.denoiser)` makes a guidance that was read from a file ready to work.
        """
        changes: dict[str, object] = {}
        for name in (f.name for f in fields(self)):  # pyright: ignore[reportArgumentType]
            value = getattr(self, name)
            if isinstance(value, Guidance):
                changes[name] = value.using(**parts)
            elif name in parts and name not in stored(type(self)):
                changes[name] = parts[name]
        return cast(G, replace(self, **changes))  # pyright: ignore[reportArgumentType]

    def missing_models(self) -> set[str]:
        """The names of the models that it still needs to be given by `using`: "worse", "log_p", "negative"."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # pyright: ignore[reportArgumentType]
        own = {name for name, value in values.items() if value is None and name not in stored(type(self))}
        return own.union(*(inner.missing_models() for inner in self._within()))

    @property
    def sees_null(self) -> bool:
        """Whether the null condition has a say: not where the scale is 1, nor where a model is led away from."""
        inner = self._within()
        return any(of.sees_null for of in inner) if inner else getattr(self, "scale", None) != 1

    def _within(self) -> "list[Guidance]":
        values = [getattr(self, f.name) for f in fields(self)]  # pyright: ignore[reportArgumentType]
        return [value for value in values if isinstance(value, Guidance)]


@dataclass(frozen=True)
class Unguided(Guidance):
    """No guidance: the conditional denoiser as it is."""

    @property
    def sees_null(self) -> bool:
        return False

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        def at(x: State, log_snr: LogSNR) -> Guided:
            p = denoiser(x, log_snr, cond)
            return Guided(p, p)

        return at


def branches(denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Branches:
    """Makes a function of (x, log-SNR) that predicts with the condition and without it, both in one batch."""
    both = Condition.cat([cond, null])

    def at(x: State, log_snr: LogSNR) -> tuple[Prediction, Prediction]:
        levels = log_snr.repeat(2) if log_snr.dim() else log_snr
        return halves(denoiser(torch.cat([x, x]), levels, both))

    return at


def halves(p: Prediction) -> tuple[Prediction, Prediction]:
    """A batch's prediction as that of its first and of its second half."""
    x0, eps = p.x0.chunk(2), p.eps.chunk(2)
    mix = (None, None) if p.variance_mix is None else p.variance_mix.chunk(2)
    return Prediction(x0[0], eps[0], mix[0]), Prediction(x0[1], eps[1], mix[1])


def guided(x0: State, x: State, log_snr: LogSNR, conditional: Prediction) -> Guided:
    """Makes a `Guided` from a guided clean estimate, [b, ...]; a learned variance is the conditional's, as in GLIDE."""
    p = Prediction.from_x0(x0, x, log_snr)
    return Guided(replace(p, variance_mix=conditional.variance_mix), conditional)

"""The form of an error e = target - output of the network, to one number a sample.

Squared      mean e^2
Huber        mean of e^2 where |e| <= delta, else 2 delta |e| - delta^2
PseudoHuber  sqrt(mean e^2 + c^2) - c (Song & Dhariwal 2023, divided by sqrt of the number of dimensions)

The error is the network's own, whose scale is about one at every level, so delta and c mean the same at each. Only the
squared error can be moved from one parameterisation to another by a weight; the other two depend on it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from unclip.core.config.base import Config
from unclip.core.config.ranges import Positive
from unclip.core.typing import PerSample, State


class ErrorForm(Config, ABC):
    """Base of the forms."""

    @abstractmethod
    def __call__(self, error: State) -> PerSample: ...


@dataclass(frozen=True)
class Squared(ErrorForm):
    """What all the theory is about."""

    def __call__(self, error: State) -> PerSample:
        return error.square().flatten(1).mean(1)


@dataclass(frozen=True)
class Huber(ErrorForm):
    """Squared near zero, linear beyond delta: an outlying pixel pulls no harder than one at delta."""

    delta: Positive = 1.0

    def __call__(self, error: State) -> PerSample:
        size = error.abs()
        small = size.clamp(max=self.delta)
        return (small * (2 * size - small)).flatten(1).mean(1)


@dataclass(frozen=True)
class PseudoHuber(ErrorForm):
    """Nearly the norm of the error, smooth at zero: an outlying picture pulls no harder than any other."""

    c: Positive = 0.00054

    def __call__(self, error: State) -> PerSample:
        mean = error.square().flatten(1).mean(1)
        return mean / (torch.sqrt(mean + self.c**2) + self.c)  # sqrt(m + c^2) - c without cancellation

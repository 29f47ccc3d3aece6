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
    """The base class of forms of an error: from the network's error, [b, ...], to a number for each sample, [b]."""

    @abstractmethod
    def __call__(self, error: State) -> PerSample: ...


@dataclass(frozen=True)
class Squared(ErrorForm):
    """The mean squared error, which all theory of diffusion is about."""

    def __call__(self, error: State) -> PerSample:
        return error.square().flatten(1).mean(1)


@dataclass(frozen=True)
class Huber(ErrorForm):
    """The Huber loss: squared up to delta and linear beyond, so an outlying pixel pulls no harder than one at delta.

    Args:
        delta: where it becomes linear, in units of the network's output.
    """

    delta: Positive = 1.0

    def __call__(self, error: State) -> PerSample:
        size = error.abs()
        small = size.clamp(max=self.delta)
        return (small * (2 * size - small)).flatten(1).mean(1)


@dataclass(frozen=True)
class PseudoHuber(ErrorForm):
    """The pseudo-Huber loss (Song & Dhariwal 2023), sqrt(mean e^2 + c^2) - c: nearly the norm of a sample's error.

    An outlying image pulls no harder than any other.

    Args:
        c: how far it is rounded at zero, in units of the network's output.
    """

    c: Positive = 0.00054

    def __call__(self, error: State) -> PerSample:
        mean = error.square().flatten(1).mean(1)
        return mean / (torch.sqrt(mean + self.c**2) + self.c)  # sqrt(m + c^2) - c without cancellation

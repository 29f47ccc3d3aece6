"""The last step, p(x_0 | x_1): a Gaussian around the clean estimate, on the values that the data can take.

discretised (DDPM, Eq. 13): P(x_0) = integral over the value's bin of N(x; mean, variance); the first and the last
bin reach to -inf and +inf, so the probabilities of all values sum to 1.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range
from unclip.core.typing import State
from unclip.core.untyped import log_ndtr
from unclip.core.wide import wide
from unclip.diffusion.likelihood.bits import LEVELS


class PixelLikelihood(Config, ABC):
    """Base of the decoders."""

    @abstractmethod
    def nats(self, x0: State, mean: State, log_variance: Tensor) -> State:
        """-log p(x0) of each dimension, float64. log_variance: shaped to meet x0."""

    def check(self, x0: State) -> None:
        """Raises ValueError where this decoder cannot be meant for such data."""


@dataclass(frozen=True)
class GaussianDensity(PixelLikelihood):
    """The Gaussian density itself, for data that are not discrete, such as embeddings; its bits may be negative."""

    def nats(self, x0: State, mean: State, log_variance: Tensor) -> State:
        square = (wide(x0) - wide(mean)).square()
        log_variance = wide(log_variance)
        return (math.log(2 * math.pi) + log_variance + square * torch.exp(-log_variance)) / 2


@dataclass(frozen=True)
class Discretised(PixelLikelihood):
    """Base of the likelihoods of discrete values, by the mass of a distribution in their bin.

    Args:
        levels: the number of values of a channel, evenly in [-1, 1]; 256 for 8 bits.
    """

    levels: Annotated[int, Range(2, 65536)] = LEVELS

    def check(self, x0: State) -> None:
        """Raises ValueError where values lie between or beyond the `levels` that there are."""
        place = (wide(x0) + 1) * (self.levels - 1) / 2
        rounded = place.round().clamp(0, self.levels - 1)
        worst = int((place - rounded).abs().argmax())
        if (place - rounded).abs().flatten()[worst] > 0.02:
            raise ValueError(
                f"x0 = {x0.flatten()[worst].item():.5g}: not one of {self.levels} values in [-1, 1], so it has no "
                "bits by the discretised decoder; give 8-bit images as k/127.5 - 1, or decoder = GaussianDensity()"
            )


@dataclass(frozen=True)
class DiscretisedGaussian(Discretised):
    """The likelihood of discrete values, by the mass of a Gaussian in their bin (DDPM, Ho et al. 2020, Eq. 13)."""

    def nats(self, x0: State, mean: State, log_variance: Tensor) -> State:
        """The negative log-likelihood of each dimension, in nats; finite however far the mean is from x0."""
        half, scale = 1 / (self.levels - 1), torch.exp(-wide(log_variance) / 2)
        x0 = wide(x0)
        off = x0 - wide(mean)
        low, high = (off - half) * scale, (off + half) * scale
        mirrored = low > 0  # Phi(high) - Phi(low) = Phi(-low) - Phi(-high): take it in the lower tail
        a, b = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
        log_a, log_b = log_ndtr(a), log_ndtr(b)
        inside = log_b + torch.log(-torch.expm1(log_a - log_b))
        first, last = x0 < -1 + half, x0 > 1 - half
        below, above = log_ndtr(high), log_ndtr(-low)
        return -torch.where(first, below, torch.where(last, above, inside))

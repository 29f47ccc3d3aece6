"""Bits a dimension, their mean with its standard error, and what 8-bit data has to do with a density.

A value k of n = 256 stands at 2k/(n - 1) - 1 in [-1, 1], the middle of a bin of width 2/(n - 1). A density p gives the
bin's probability P with -log2 P <= E_u[-log2 p(x + u)] + log2((n - 1)/2), u uniform in the bin (Jensen; Theis et al.
2016).
"""

import math
from dataclasses import dataclass

from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float, PerSample, State
from unclip.core.wide import narrow, wide

LEVELS = 256
"""Values of a colour channel with 8 bits."""


def bits_a_dimension(nats: State, x0: State) -> PerSample:
    """Nats of each dimension to their mean in bits, [b], summed in float64; in float32 on the device of x0."""
    return narrow(wide(nats).flatten(1).mean(1) / math.log(2), x0)


def dequantised(x0: State, noise: Noise, levels: int = LEVELS) -> State:
    """x0 + u, u uniform over the bin of each value."""
    return x0 + (noise.uniform(x0.shape).to(x0.dtype) - 0.5) * (2 / (levels - 1))


def quantisation_bits(levels: int = LEVELS) -> float:
    """-log2 of a bin's width: 6.99 bits a dimension from a density in [-1, 1] to 8-bit values."""
    return math.log2((levels - 1) / 2)


@dataclass(frozen=True)
class Estimate:
    """A mean over samples with its standard error.

    Args:
        mean: the mean.
        error: its standard error, std/sqrt(n); nan where n = 1.
        n: the number of samples.
    """

    mean: float
    error: float
    n: int

    @staticmethod
    def of(values: Float[Tensor, " n"]) -> "Estimate":
        """Makes the estimate from one value for each sample, [n]."""
        values, n = wide(values), len(values)
        return Estimate(values.mean().item(), values.std().item() / math.sqrt(n) if n > 1 else math.nan, n)

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.error:.4f}"

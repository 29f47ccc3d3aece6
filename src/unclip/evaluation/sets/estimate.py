"""What a score of a set is: a value, its standard error and a 95 % interval; and the check of what it is taken from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch

from unclip.core.typing import Float, Tensor
from unclip.core.wide import wide

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""Half the width of an interval in standard errors: 1.96."""


@dataclass(frozen=True)
class Estimate:
    """A figure, its standard error, and the ends of its 95 % interval; degrees of freedom of the error."""

    value: float
    error: float
    low: float
    high: float
    degrees: float = math.inf

    @staticmethod
    def normal(value: float, error: float, degrees: float = math.inf) -> "Estimate":
        """With the interval of a normal distribution: 1.96 errors to each side."""
        return Estimate(value, error, value - Z * error, value + Z * error, degrees)

    @property
    def z(self) -> float:
        """How many errors the value is from 0, as a normal deviate: of an error from few groups fewer than value/error.

        Student's t = value/error at v degrees of freedom, turned into the deviate of (nearly) the same probability
        (Wallace 1959):

            z = sign(t) (8v + 1)/(8v + 3) sqrt(v log(1 + t^2/v))

        nan where both are 0, infinite where the error alone is.
        """
        if not self.error > 0:
            return math.copysign(math.inf, self.value) if self.value and self.error == 0 else math.nan
        t, v = self.value / self.error, self.degrees
        if math.isinf(v):
            return t
        return math.copysign((8 * v + 1) / (8 * v + 3) * math.sqrt(v * math.log1p(t * t / v)), t)

    def figure(self) -> dict[str, float]:
        """As it is printed and written: mean, error, low, high."""
        return {"mean": self.value, "error": self.error, "low": self.low, "high": self.high}

    @staticmethod
    def share(k: int, n: int) -> "Estimate":
        """Of k in n, with the binomial error and the interval of Wilson."""
        low, high = interval(k, n)
        return Estimate(k / n, math.sqrt(k * (n - k) / n**3), low, high)


def interval(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a fraction k of n (Wilson 1927): honest also at 0 and n, where the binomial error is 0.

        (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n),   p = k/n, z = 1.96

    Raises ValueError unless 0 <= k <= n and n >= 1.
    """
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"{k} of {n}: a fraction needs n >= 1 and 0 <= k <= n")
    p, square = k / n, Z * Z / n
    half = Z * math.sqrt(p * (1 - p) / n + square / (4 * n))
    middle = p + square / 2
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return (0.0 if k == 0 else low), (1.0 if k == n else high)


def jackknife_error(without: Sequence[float]) -> float:
    """Standard error of a figure from its values without each of g groups (Efron & Stein 1981).

        sqrt((g - 1)/g sum (x_g - mean x)^2)

    Never too small in expectation; of a figure that is quadratic in the noise,
    as a distance of equal distributions, 1.4 times too large.
    """
    return math.sqrt((len(without) - 1) * torch.tensor(without, dtype=torch.float64).var(correction=0).item())


def sized(sets: Mapping[str, Float[Tensor, "_ _"]], least: int = 2) -> list[Float[Tensor, "_ _"]]:
    """The features in float64. Raises ValueError where a set has fewer than `least` rows or widths differ."""
    widths = {name: x.shape[1] for name, x in sets.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"features of different widths: {', '.join(f'{n} {w}' for n, w in widths.items())}")
    for name, x in sets.items():
        if len(x) < least:
            raise ValueError(f"{len(x)} {name} image{'s' * (len(x) != 1)}: this score needs at least {least}")
    return [wide(x) for x in sets.values()]


def checked(sets: Mapping[str, Float[Tensor, "_ _"]], least: int = 2) -> list[Float[Tensor, "_ _"]]:
    """As `sized`; raises ValueError also where a feature is nan or infinite."""
    for name, x in sets.items():
        if not bool(x.isfinite().all()):
            raise ValueError(f"features of the {name} images hold nan or inf: look at the images, then the network")
    return sized(sets, least)

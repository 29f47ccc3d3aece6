"""How many different images a set holds: what a generator that has collapsed is caught by."""

from dataclasses import dataclass

import torch

from unclip.core.typing import Float, Tensor
from unclip.evaluation.sets.estimate import checked

NEAR = 0.05
"""The share of real images that have another one nearer than the radius within which two count as one."""


@dataclass(frozen=True)
class Distinct:
    """made, real: distinct images among n of each."""

    made: int
    real: int
    n: int

    @property
    def ratio(self) -> float:
        """Of generated ones, as a share of the real ones."""
        return self.made / self.real


def distinct_images(made: Float[Tensor, "n d"], real: Float[Tensor, "n d"]) -> Distinct:
    """Counts images of which no earlier one of their set lies within r: one of each mode.

    r is the distance within which a share `NEAR` of the real images has a neighbour, so nearly all of these count;
    copies and near-copies of an image count once. Raises ValueError for features that are not finite, and for fewer
    than two.
    """
    made, real = checked({"generated": made, "real": real})
    distances = torch.cdist(real, real)
    nearest = distances.fill_diagonal_(torch.inf).min(1).values
    radius = nearest.quantile(NEAR).item()
    return Distinct(_count(made, radius), _count(real, radius), len(made))


def _count(x: Float[Tensor, "n d"], radius: float) -> int:
    close = torch.cdist(x, x) <= radius
    kept = list[int]()
    for i in range(len(x)):
        if not close[i, kept].any():
            kept.append(i)
    return len(kept)

"""Does a model give back its training images? How near the nearest one is, by each judge and in pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unclip.core.typing import Float, Int, PerSample, Tensor
from unclip.evaluation.judging.compared import Space
from unclip.evaluation.sets.copying import NEIGHBOURS, NearCopies, closeness, data_copying, near_copies
from unclip.evaluation.sets.nearest import nearest

RAREST = 0.01
"""Near-copies are nearer than all but this share of held-out images."""
FEWEST = 8
"""Training, held-out and generated images below which nothing can be said."""
UNKNOWN = f"cannot be known: it takes {FEWEST} training images, held-out ones and generated ones at least"


@dataclass(frozen=True)
class Nearness:
    """How near images come to training images, beside held-out ones.

    ratio: their median distance to the nearest training image over that of held-out images; 1 without copying.
    """

    copies: NearCopies
    ratio: float

    def figures(self) -> dict[str, Any]:
        """As they are printed and written."""
        found = self.copies
        return {
            "nearest": self.ratio,
            "near_copies": found.share.figure(),
            "expected": found.expected,
            "p": found.p,
            "n": found.generated,
        }


@dataclass(frozen=True)
class ClosestPairs:
    """Generated images and the training images nearest to them, the closest pair first."""

    made: Int[Tensor, " p"]
    train: Int[Tensor, " p"]


def score_copies(spaces: Mapping[str, Space], quantile: float = RAREST) -> dict[str, Any]:
    """Space -> how near generated images come to training images, beside held-out ones.

    nearest: median distance of generated images to their nearest training image over that of held-out images; 1 for a
    model that copies nothing, near 0 for one that knows them by heart. near_copies: share of generated images nearer
    than all held-out ones but the share `quantile` (`expected` without copying), with its interval, and p. z: Meehan
    et al. 2020.
    """
    if not all(map(enough, spaces.values())):
        return {"near_copies": UNKNOWN}
    return {name: _score(space, quantile) for name, space in spaces.items()}


def enough(space: Space) -> bool:
    """Whether there are so many images that something can be said."""
    return min(len(space.made), len(space.real), len(space.train)) >= FEWEST


def nearness(own: PerSample, held: Float[Tensor, " m"], quantile: float = RAREST) -> Nearness:
    """From the distances of generated and of held-out images to their nearest training images.

    quantile: as of `near_copies`. Raises ValueError where there are none of either.
    """
    copies = near_copies(own, held, quantile)
    return Nearness(copies, (own.median() / held.median().clamp(min=1e-12)).item())


def _score(space: Space, quantile: float) -> dict[str, Any]:
    own, held = (nearest(x, space.train).distance[:, 0] for x in (space.made, space.real))
    figures = nearness(own, held, quantile).figures()
    n = figures.pop("n")
    return {**figures, "z": data_copying(own, held).z, "n": n}


def closest_pairs(space: Space, count: int = 24) -> ClosestPairs:
    """The pairs to look at: generated images that are far nearer to one training image than to its neighbours."""
    found = nearest(space.made, space.train, k=min(NEIGHBOURS, len(space.train)))
    order = closeness(found).argsort()[:count]
    return ClosestPairs(order, found.index[order, 0])

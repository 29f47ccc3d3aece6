"""Does a model give back its training images? How near the nearest one is, by each judge and in pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Images, Int, PerSample
from unclip.evaluation.sets.copying import NEIGHBOURS, closeness, data_copying, near_copies
from unclip.evaluation.sets.nearest import nearest
from unclip.judges.judge import Judge

PIXELS = 16
"""The side to which images are shrunk before their pixels are compared: a shift of one pixel is no other image."""
FEWEST = 8
"""Training, held-out and generated images below which nothing can be said."""
UNKNOWN = f"cannot be known: it takes {FEWEST} training images, held-out ones and generated ones at least"

Spaces = Mapping[str, tuple[Float[torch.Tensor, "n d"], Float[torch.Tensor, "m d"], Float[torch.Tensor, "k d"]]]


@dataclass(frozen=True)
class ClosestPairs:
    """Generated images and the training images nearest to them, the closest pair first; by which space."""

    space: str
    made: Int[torch.Tensor, " p"]
    train: Int[torch.Tensor, " p"]
    distance: PerSample


def score_copies(
    made: Images, real: Float[torch.Tensor, "m c h w"], judges: Sequence[Judge], train: Float[torch.Tensor, "k c h w"]
) -> dict[str, Any]:
    """Space -> how near generated images come to training images, beside held-out ones.

    nearest: median distance of generated images to their nearest training image over that of held-out images; 1 for a
    model that copies nothing, near 0 for one that knows them by heart. near_copies: share of generated images nearer
    than 99 of 100 held-out ones (`expected` without copying), with its interval, and p. z: Meehan et al. 2020.
    """
    if min(len(made), len(real), len(train)) < FEWEST:
        return {"near_copies": UNKNOWN}
    return {name: _score(*parts) for name, parts in spaces(made, real, judges, train).items()}


def _score(made: torch.Tensor, real: torch.Tensor, train: torch.Tensor) -> dict[str, Any]:
    own, held = (nearest(x, train).distance[:, 0] for x in (made, real))
    found, test = near_copies(own, held), data_copying(own, held)
    share = found.share
    near = {"mean": share.value, "error": share.error, "low": share.low, "high": share.high}
    return {
        "nearest": (own.median() / held.median().clamp(min=1e-12)).item(),
        "near_copies": near,
        "expected": found.expected,
        "p": found.p,
        "z": test.z,
        "n": len(own),
    }


def spaces(
    made: Images, real: Float[torch.Tensor, "m c h w"], judges: Sequence[Judge], train: Float[torch.Tensor, "k c h w"]
) -> Spaces:
    """Name -> (generated, held-out, training) images as vectors."""
    found = {judge.name: (judge.features(made), judge.features(real), judge.features(train)) for judge in judges}
    return {**found, "pixels": (thumbnails(made), thumbnails(real), thumbnails(train))}


def thumbnails(x: Images) -> Float[torch.Tensor, "n d"]:
    """The pixels of the shrunk images."""
    return F.adaptive_avg_pool2d(x, min(PIXELS, *x.shape[-2:])).flatten(1)


def closest_pairs(space: str, made: torch.Tensor, train: torch.Tensor, count: int = 24) -> ClosestPairs:
    """The pairs to look at: generated images that are far nearer to one training image than to its neighbours."""
    found = nearest(made, train, k=min(NEIGHBOURS, len(train)))
    order = closeness(found).argsort()[:count]
    return ClosestPairs(space, order, found.index[order, 0], found.distance[order, 0])

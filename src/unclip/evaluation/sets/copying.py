"""Does a model repeat its training images? Distances to the nearest of them, beside those of held-out images."""

import math
from dataclasses import dataclass

import torch

from unclip.core.typing import Float, PerSample, Tensor
from unclip.core.wide import wide
from unclip.evaluation.sets.estimate import Estimate
from unclip.evaluation.sets.nearest import Nearest

NEIGHBOURS = 50
"""Neighbours that calibrate a distance (Carlini et al. 2023)."""


@dataclass(frozen=True)
class NearCopies:
    """share: of generated images nearer to a training image than `threshold`; expected: of a model that copies nothing.

    p: how likely so many are, or more, if generated images are as held-out ones. generated, held_out: how many.
    """

    share: Estimate
    expected: float
    p: float
    threshold: float
    generated: int
    held_out: int


@dataclass(frozen=True)
class DataCopying:
    """z: below -1.64 data copying at 5 %, far above 0 underfitting.

    farther: share of pairs whose generated image is the farther one from the training images, 1/2 without copying.
    """

    z: float
    farther: float


def near_copies(generated: Float[Tensor, " n"], held_out: Float[Tensor, " m"], quantile: float = 0.01) -> NearCopies:
    """Share of near-copies, from the distances of each image to its nearest training image (`nearest`).

    The threshold is the r-th smallest held-out distance, r = quantile (m + 1) rounded down, 1 at least. Where a model
    draws as if from the data, the generated images below it are k of n with

        P(k) = C(k + r - 1, k) C(n + m - k - r, n - k) / C(n + m, n),   mean r/(m + 1)

    whatever the distances are (Wilks 1942): the threshold's own scatter is in p. share has Wilson's interval, over the
    generated images. Held-out images must have no near-copies among the training images, or the threshold is blind to
    those of the model. Raises ValueError for no images, or a quantile outside (0, 1).
    """
    n, m = len(generated), len(held_out)
    if min(n, m) < 1:
        raise ValueError(f"{n} generated and {m} held-out images: near-copies need some of both")
    if not 0 < quantile < 1:
        raise ValueError(f"quantile = {quantile}: expected a number between 0 and 1")
    r = max(1, int(quantile * (m + 1)))
    threshold = wide(held_out).kthvalue(r).values.item()
    k = int((wide(generated) < threshold).sum())
    return NearCopies(Estimate.share(k, n), r / (m + 1), _tail(k, n, r, m), threshold, n, m)


def _tail(k: int, n: int, r: int, m: int) -> float:
    """P(at least k of n lie below the r-th of m others)."""
    logs = [
        _log_choose(j + r - 1, j) + _log_choose(n + m - j - r, n - j) - _log_choose(n + m, n) for j in range(k, n + 1)
    ]
    return min(1.0, math.fsum(math.exp(x) for x in logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def data_copying(generated: Float[Tensor, " n"], held_out: Float[Tensor, " m"]) -> DataCopying:
    """Mann-Whitney U test of the distances to the nearest training images (Meehan et al. 2020, their Z_U).

        z = (U - nm/2) / sqrt(nm (n + m + 1)/12),   U: pairs with the generated image farther, ties count half

    Over the whole space, without the paper's cells: a model that copies some images and draws others badly can come out
    even here; `near_copies` still finds it. Raises ValueError for no images.
    """
    n, m = len(generated), len(held_out)
    if min(n, m) < 1:
        raise ValueError(f"{n} generated and {m} held-out images: the test needs some of both")
    ordered = wide(held_out).sort().values
    below, up_to = (torch.searchsorted(ordered, wide(generated), right=right) for right in (False, True))
    u = (below + up_to).sum().item() / 2
    return DataCopying((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12), u / (n * m))


def closeness(found: Nearest) -> PerSample:
    """Distance to the nearest row over the median distance to the k nearest (`nearest` with k = NEIGHBOURS), at most 1.

    Carlini et al. 2023: a plain image is near to everything, so what tells a copy is to be far nearer to
    one training image than to its next neighbours. They divide by half their mean; the median stands even where several
    of them are copies, too, and keeps 1 as the figure of an image that is near to none in particular. This orders the
    closest pairs for a person to look at; `near_copies` judges. 0 where all k neighbours are copies.
    Raises ValueError for fewer than 3 neighbours.
    """
    if found.distance.shape[1] < 3:
        raise ValueError(f"{found.distance.shape[1]} neighbours: a median needs at least 3")
    distance: Float[Tensor, "n k"] = found.distance
    return distance[:, 0] / distance.median(1).values.clamp(min=torch.finfo(torch.float64).tiny)

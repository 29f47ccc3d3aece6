"""The Frechet distance of two sets of features, with what few images add to it taken away."""

from dataclasses import dataclass

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Int, Tensor
from unclip.evaluation.sets.estimate import Estimate, checked, jackknife_error

PARTS = (1, 2, 3)
"""Subset sizes of the extrapolation: whole sets, halves, thirds."""
GROUPS = 16
"""Groups of the jackknife, and so the fewest images of a set; an error from so many is known to 18 %."""
NONE = -1
"""In the place of the number of a group that is left out."""


@dataclass(frozen=True)
class Frechet:
    """value: at these n generated and m real images, d features wide; infinite: extrapolated to n, m -> infinity.

    singular: n or m <= d, so that a covariance has no full rank; below n = 2 d the extrapolation is too large still.
    """

    value: float
    infinite: Estimate
    n: int
    m: int
    d: int
    singular: bool


def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """Frechet distance of the normal distributions with the sets' means and covariances (Heusel et al. 2017).

        |mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))

    With factors C = R'R (R of the QR decomposition of the centred rows / sqrt(n - 1)) the last trace is the sum of the
    singular values of R_a R_b': no root of a matrix, no eigenvalue below 0, singular covariances included. It grows as
    n falls, so compare it only at equal n. Raises ValueError for fewer than 2 rows, other widths, nan.
    """
    return _distance(*checked({"first": a, "second": b}))


def frechet(generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"], noise: Noise) -> Frechet:
    """The distance as it is, and extrapolated to infinitely many images of both sets.

    Chong & Forsyth 2020: the bias is nearly proportional to 1/N, so a line through the distance over 1/N is read at 0.
    N are whole sets, halves and thirds (means over the parts of a random partition, which `noise` draws), of both sets
    at once, so that the bias of few real images goes, too; the value may be below 0. Error: a jackknife over 16 groups
    of images of both sets (Efron & Stein 1981), right with a difference, up to 1.7 times too large near none.
    Raises ValueError for sets of fewer than 16 images.
    """
    a, b = checked({"generated": generated, "real": real}, GROUPS)
    a, b = (x[noise.uniform((len(x),)).argsort().to(x.device)] for x in (a, b))
    infinite = Estimate.normal(extrapolated(a, b), jackknife_error([extrapolated(a, b, g) for g in range(GROUPS)]))
    n, m, d = len(a), len(b), a.shape[1]
    return Frechet(_distance(a, b), infinite, n, m, d, min(n, m) <= d)


def _distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    ra, rb = _factor(a), _factor(b)
    means = (a.mean(0) - b.mean(0)).square().sum()
    return (means + ra.square().sum() + rb.square().sum() - 2 * torch.linalg.svdvals(ra @ rb.t()).sum()).item()


def _factor(x: Float[Tensor, "n d"]) -> Float[Tensor, "r d"]:
    """R with R'R the covariance of the rows, with n - 1."""
    centred = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R if len(x) > x.shape[1] else centred


def extrapolated(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], dropped: int = NONE, units: Int[Tensor, " n"] | None = None
) -> float:
    """The line through the distances of parts over parts ~ 1/N, at 0; without one group of the jackknife.

    The part and the group of a row follow from its place, so that a dropped group moves no other row. units: rows of a
    with one number (0, 1, ...) stay together.
    """
    kept = [_without(x, i, dropped) for x, i in ((a, units), (b, None))]
    distances = []
    for parts in PARTS:
        some = [_distance(*(x[i % parts == part] for x, i in kept)) for part in range(parts)]
        distances.append(sum(some) / parts)
    over = torch.tensor(PARTS, dtype=torch.float64)
    y = torch.tensor(distances, dtype=torch.float64)
    slope = ((over - over.mean()) * y).sum() / (over - over.mean()).square().sum()
    return (y.mean() - slope * over.mean()).item()


def _without(
    x: Float[Tensor, "n d"], units: Int[Tensor, " n"] | None, dropped: int
) -> tuple[Float[Tensor, "k d"], Int[Tensor, " k"]]:
    """The rows but those of a group, and the number of each row's unit."""
    i = torch.arange(len(x), device=x.device) if units is None else units
    keep = i * GROUPS // (int(i.max()) + 1) != dropped
    return x[keep], i[keep]

"""Precision and recall, density and coverage: how like the real images, and how many of those are reached."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from unclip.core.typing import Bool, Float, Tensor
from unclip.evaluation.sets.estimate import Estimate, checked

CHUNK = 512
"""Rows whose distances to a whole set are in memory at once."""


@dataclass(frozen=True)
class PrecisionRecall:
    """precision: share of generated images among the real ones; recall: share of real ones among the generated."""

    precision: Estimate
    recall: Estimate


@dataclass(frozen=True)
class DensityCoverage:
    """density: real balls about a generated image, over k; coverage: share of real images with one in their ball."""

    density: Estimate
    coverage: Estimate


def precision_recall(generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"], k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019).

        precision = 1/n sum_j 1[there is i: |g_j - r_i| <= NND_k(r_i)],   recall the same with the sets exchanged

    NND_k: distance to the k-th nearest other image of its own set. Errors are binomial, Wilson's interval: over the
    images that are counted, with those that make the balls held fixed. Both depend on n and m: compare only at equal
    sizes, and with what held-out real images get. Raises ValueError for fewer than k + 1 images a set.
    """
    g, r = checked({"generated": generated, "real": real}, k + 1)
    return PrecisionRecall(_share(_within(g, r, _radii(r, k)) > 0), _share(_within(r, g, _radii(g, k)) > 0))


def density_coverage(generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"], k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, section 3), which an outlier among the real images does not inflate.

        density = 1/(k n) sum_j sum_i 1[|g_j - r_i| <= NND_k(r_i)]
        coverage = 1/m sum_i 1[there is j: |g_j - r_i| <= NND_k(r_i)]

    Two sets of one distribution have density 1 and, with n = m, coverage 1 - 2^-k or so. Errors: of
    the mean over generated images, and binomial over the real ones. Raises ValueError for fewer than k + 1 real images
    or fewer than 2 generated ones.
    """
    g, r = checked({"generated": generated, "real": real})
    checked({"real": real}, k + 1)
    radii = _radii(r, k)
    balls = _within(g, r, radii) / k
    reached = torch.cat([(some <= radii[rows, None]).any(1) for rows, some in _distances(r, g)])
    density = Estimate.normal(balls.mean().item(), balls.std().item() / len(balls) ** 0.5)
    return DensityCoverage(density, _share(reached))


def _share(hit: Bool[Tensor, " n"]) -> Estimate:
    return Estimate.share(int(hit.sum()), len(hit))


def _radii(x: Float[Tensor, "n d"], k: int) -> Float[Tensor, " n"]:
    """Distance of each row to its k-th nearest other row."""
    return torch.cat([some.kthvalue(k + 1, dim=1).values for _, some in _distances(x, x)])


def _within(x: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], radii: Float[Tensor, " m"]) -> Float[Tensor, " n"]:
    """In how many of the balls about the centres each row of x lies."""
    return torch.cat([(some <= radii).sum(1).double() for _, some in _distances(x, centres)])


def _distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Iterator[tuple[slice, Float[Tensor, "c m"]]]:
    """Distances of a few rows at a time, by differences: equal images have distance 0, and a tie is a tie."""
    for i in range(0, len(x), CHUNK):
        rows = slice(i, i + CHUNK)
        yield rows, torch.cdist(x[rows], y, compute_mode="donot_use_mm_for_euclid_dist")

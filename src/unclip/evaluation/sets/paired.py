"""Differences between two models that drew the same captions with the same seeds: what both share cancels."""

from collections.abc import Sequence

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Int, PerSample, Tensor
from unclip.core.wide import wide
from unclip.evaluation.retrieval import distinct
from unclip.evaluation.sets.estimate import CONFIDENCE, Estimate, checked, jackknife_error
from unclip.evaluation.sets.frechet import GROUPS, NONE, extrapolated
from unclip.evaluation.sets.kernel import kernel, off_diagonal_mean, spread

DRAWS = 2000
"""Resamples of a bootstrap."""


def paired_difference(a: PerSample, b: PerSample, captions: Sequence[str], noise: Noise) -> Estimate:
    """Mean of a_i - b_i, with the images of one caption kept together.

    The error is that of a mean over whole clusters of unequal sizes (Cochran 1977, chapter 9A), a ratio of two sums;
    with S the sums of the captions' differences and s their numbers of images:

        error^2 = G/(G - 1) sum_g (S_g - s_g mean)^2 / n^2

    The interval is the studentised bootstrap's over captions (Efron & Tibshirani 1993: the bootstrap-t interval), which
    is right for skewed differences and few captions, too. Raises ValueError for fewer than 2 different captions or
    lists of different lengths.
    """
    groups = _groups(captions, len(a), len(b))
    size = torch.bincount(groups).double()
    total = torch.zeros_like(size).index_add(0, groups, (wide(a) - wide(b)).cpu())
    mean, error = _clustered(total[None], size[None])
    again = _resampled(total, size, noise)
    t = ((again[0] - mean) / again[1])[again[1] > 0]  # resamples of one value alone have no error
    degrees = float(len(size) - 1)
    if not len(t) or not error > 0:
        return Estimate.normal(mean.item(), error.item(), degrees)
    tails = torch.tensor([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2], dtype=torch.float64)
    low, high = (mean - t.quantile(tails) * error).tolist()
    return Estimate(mean.item(), error.item(), low, high, degrees)


def kid_difference(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], real: Float[Tensor, "m d"], captions: Sequence[str]
) -> Estimate:
    """KID of a less KID of b, both to the same real images; row i of a and b: of one caption and seed.

    The kernels of the real images with each other cancel; what is left is itself a two-sample U-statistic of the pairs
    (a_i, b_i) and the real images, with k(a_i, a_j) - k(b_i, b_j) and k(a_i, r) - k(b_i, r) in place of the kernels,
    so its error is by the formula of `kid_estimate`; the images of one caption are summed to one first.
    Raises ValueError for fewer than 2 different captions, lists of different lengths, nan.
    """
    a, b, real = checked({"first": a, "second": b, "real": real})
    groups = _groups(captions, len(a), len(b))
    within, across = kernel(a, a) - kernel(b, b), kernel(a, real) - kernel(b, real)
    own, other = off_diagonal_mean(within), across.mean()
    within = _summed(_summed(within - own, groups).t(), groups)
    across = _summed(across - other, groups)
    nothing = within.new_zeros(1, 1).expand(len(real), len(real))
    error = spread(within, nothing, across, len(within), len(real))
    return Estimate.normal((own - 2 * other).item(), error, min(len(within), len(real)) - 1.0)


def frechet_difference(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], real: Float[Tensor, "m d"], captions: Sequence[str], noise: Noise
) -> Estimate:
    """Frechet distance of a less that of b to the same real images, both extrapolated to infinitely many (`frechet`).

    At equal n alone the bias of the two would differ with their variety. Error: the jackknife of `frechet` with the
    images of one caption in one group, left out of a and b together. Raises ValueError for fewer than 16
    different captions or real images, lists of different lengths, nan.
    """
    a, b, real = checked({"first": a, "second": b, "real": real}, GROUPS)
    groups = _groups(captions, len(a), len(b))
    if (count := int(groups.max()) + 1) < GROUPS:
        raise ValueError(f"{count} different captions: the error of a Frechet distance needs at least {GROUPS}")
    units = noise.uniform((count,)).argsort().cpu()[groups].to(a.device)
    real = real[noise.uniform((len(real),)).argsort().to(real.device)]

    def difference(dropped: int = NONE) -> float:
        return extrapolated(a, real, dropped, units) - extrapolated(b, real, dropped, units)

    error = jackknife_error([difference(group) for group in range(GROUPS)])
    return Estimate.normal(difference(), error, GROUPS - 1.0)


def _groups(captions: Sequence[str], *lengths: int) -> Int[Tensor, " n"]:
    """The number of each image's caption."""
    if set(lengths) != {len(captions)}:
        raise ValueError(f"{len(captions)} captions for {' and '.join(map(str, lengths))} images: each pair has one")
    groups = torch.tensor(distinct(captions)[1])
    if len(groups) == 0 or not groups.any():
        raise ValueError("all captions are the same: an error over captions needs at least 2 different ones")
    return groups


def _clustered(total: Float[Tensor, "b g"], size: Float[Tensor, "b g"]) -> tuple[PerSample, PerSample]:
    """Means over images and their errors over groups."""
    count, n = total.shape[1], size.sum(1)
    mean = total.sum(1) / n
    return mean, ((total - size * mean[:, None]).square().sum(1) * count / (count - 1)).sqrt() / n


def _resampled(total: Float[Tensor, " g"], size: Float[Tensor, " g"], noise: Noise) -> tuple[PerSample, PerSample]:
    """`_clustered` of groups drawn with replacement, a hundred draws at a time."""
    parts = []
    for _ in range(DRAWS // 100):
        drawn = noise.integers(len(total), (100, len(total))).cpu()
        parts.append(_clustered(total[drawn], size[drawn]))
    means, errors = zip(*parts, strict=True)
    return torch.cat(means), torch.cat(errors)


def _summed(k: Float[Tensor, "n m"], groups: Int[Tensor, " n"]) -> Float[Tensor, "g m"]:
    """Sums over the rows of each group, over the mean size of a group."""
    count = int(groups.max()) + 1
    return k.new_zeros(count, k.shape[1]).index_add(0, groups.to(k.device), k) * (count / len(k))

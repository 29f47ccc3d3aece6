"""The kernel distance of two sets of features, and its standard error."""

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float
from unclip.core.wide import wide
from unclip.evaluation.sets.estimate import Estimate, sized


def kid(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """Kernel distance (Binkowski et al. 2018): unbiased MMD^2 with the kernel (x.y/d + 1)^3.

    a, b: features [n, d] and [m, d]. Zero in expectation where both come from one distribution.
    Raises ValueError for fewer than 2 images or two widths; nan among the features makes it nan.
    """
    sized({"first": a, "second": b})
    return _distance(kernel(a, a), kernel(b, b), kernel(a, b))


def kid_estimate(
    a: Float[Tensor, "n d"],
    b: Float[Tensor, "m d"],
    noise: Noise,
    maximum: int = 2000,
    bb: Float[Tensor, "m m"] | None = None,
) -> Estimate:
    """`kid` with its standard error over draws of both sets, right with a difference and without one.

    By Hoeffding's decomposition of the two-sample U-statistic (Serfling 1980, chapter 5), k' the centred kernel:

        Var = 4 z_a/n + 4 z_b/m + 2 s_aa/(n (n - 1)) + 2 s_bb/(m (m - 1)) + 4 s_ab/(n m)

    z_a: variance over x of E k(x, a) - E k(x, b), what a single image moves; s: mean square of k' between two. Where
    both sets are from one distribution z is 0 and s alone is left, which resampling of halves counts three times.
    noise: chooses the `maximum` images of a larger set from which z and s are estimated. bb: kernel(b, b), where b is
    compared with several sets. Raises ValueError as `kid` does.
    """
    sized({"first": a, "second": b})
    whole = kernel(a, a), kernel(b, b) if bb is None else bb, kernel(a, b)
    value, parts = _distance(*whole), whole
    if max(len(a), len(b)) > maximum:
        some = [_some(x, maximum, noise) for x in (a, b)]
        parts = kernel(some[0], some[0]), kernel(some[1], some[1]), kernel(*some)
    return Estimate.normal(value, spread(*parts, len(a), len(b)))


def kid_scores(fake: Float[Tensor, "n d"], real: Float[Tensor, "m d"], seed: int) -> dict[str, float]:
    """{"mean": `kid`, "error": its standard error}, as tables and JSON files hold them."""
    found = kid_estimate(fake, real, Noise.shared(seed, "kid"))
    return {"mean": found.value, "error": found.error}


def _distance(aa: Float[Tensor, "n n"], bb: Float[Tensor, "m m"], ab: Float[Tensor, "n m"]) -> float:
    return (off_diagonal_mean(aa) + off_diagonal_mean(bb) - 2 * ab.mean()).item()


def _some(x: Float[Tensor, "n d"], maximum: int, noise: Noise) -> Float[Tensor, "k d"]:
    return x if len(x) <= maximum else x[noise.uniform((len(x),)).argsort()[:maximum].to(x.device)]


def spread(aa: Float[Tensor, "i i"], bb: Float[Tensor, "j j"], ab: Float[Tensor, "i j"], n: int, m: int) -> float:
    """Standard error of mean aa + mean bb - 2 mean ab (without the diagonals of aa and bb) for sets of n and m, by the
    formula of `kid_estimate`; aa, bb, ab: any symmetric function of the pairs of as many, or fewer."""
    s_aa, s_bb, s_ab = (_centred_square(k, own) for k, own in ((aa, True), (bb, True), (ab, False)))
    z_a, z_b = _moved(aa, ab, s_aa, s_ab), _moved(bb, ab.t(), s_bb, s_ab)
    linear = 4 * z_a / n + 4 * z_b / m
    quadratic = 2 * s_aa / (n * (n - 1)) + 2 * s_bb / (m * (m - 1)) + 4 * s_ab / (n * m)
    # Near no difference the estimate `linear` scatters about 0: cut there, it would add a sixth to the error.
    return torch.maximum(linear + quadratic, quadratic / 2).sqrt().item()


def _centred_square(k: Float[Tensor, "n m"], own: bool) -> Tensor:
    """Mean square of the kernel without the means of its rows and columns; of a set with itself, off the diagonal."""
    n, m = k.shape
    if own:
        rows = (k.sum(1) - k.diagonal()) / (n - 1)
        centred = k - rows[:, None] - rows + rows.mean()
        return (centred.square().sum() - centred.diagonal().square().sum()) / max(1, n * (n - 3))
    centred = k - k.mean(1, keepdim=True) - k.mean(0) + k.mean()
    return centred.square().sum() / ((n - 1) * (m - 1))


def _moved(own: Float[Tensor, "n n"], across: Float[Tensor, "n m"], s_own: Tensor, s_across: Tensor) -> Tensor:
    """z of one set: the variance of its images' means, less what the finite sets in these means add to it."""
    n, m = across.shape
    means = (own.sum(1) - own.diagonal()) / (n - 1) - across.mean(1)
    return means.var() - s_own / (n - 1) - s_across / m


def kernel(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """(x.y/d + 1)^3 of each pair, in float64."""
    return (wide(x) @ wide(y).t() / x.shape[1] + 1) ** 3


def off_diagonal_mean(k: Float[Tensor, "n n"]) -> Tensor:
    """The mean over pairs of two different images."""
    n = len(k)
    return (k.sum() - k.diagonal().sum()) / (n * (n - 1))

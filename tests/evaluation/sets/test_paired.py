"""Differences of two models over the same captions and seeds: how often their intervals hold the truth."""

import numpy as np
import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.evaluation.sets.estimate import interval
from unclip.evaluation.sets.kernel import kid
from unclip.evaluation.sets.paired import frechet_difference, kid_difference, paired_difference


def test_the_interval_of_a_fraction():
    assert interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert interval(15, 100) == pytest.approx((0.0931, 0.2328), abs=1e-4)
    with pytest.raises(ValueError, match="11 of 10"):
        interval(11, 10)


def test_the_interval_of_a_fraction_holds_the_truth():
    """Exactly, over the binomial distribution, as a mean over fractions."""
    from scipy.stats import binom

    covered = []
    for p in np.linspace(0.02, 0.98, 49):
        held = [k for k in range(61) if interval(k, 60)[0] <= p <= interval(k, 60)[1]]
        covered.append(binom.pmf(held, 60, p).sum())
    assert 0.94 < np.mean(covered) < 0.97 and min(covered) > 0.9


@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_of_a_paired_difference_holds_the_truth(skewed: bool):
    """40 captions of four images each, half of the scatter shared by those of a caption: 92 to 98 %."""
    captions = [str(i // 4) for i in range(160)]
    held, errors, values = 0, [], []
    for key in range(300):
        shared = draw(40, key=f"caption{key}")
        own = (shared.exp() if skewed else shared).repeat_interleave(4) + draw(160, key=f"own{key}")
        both = 3 * draw(160, key=f"both{key}")
        found = paired_difference(both + own + 0.3, both, captions, Noise.shared(key))
        held += found.low <= 0.3 + (np.exp(0.5) if skewed else 0) <= found.high
        errors.append(found.error)
        values.append(found.value)
    assert 0.92 <= held / 300 <= 0.98
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.15)


def test_equal_differences_have_no_error():
    a = draw(6, key="a")
    found = paired_difference(a + 1, a, list("abcdef"), Noise.shared(0))
    assert found.value == pytest.approx(1) and found.high - found.low < 1e-5


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_the_interval_of_a_difference_of_kernel_distances_holds_the_truth(images: int, shift: float):
    """a and b with the same mean distance to the real images, and noise in common: 0 lies in 92 to 98 % of them."""
    n, d, captions = 60 * images, 8, [str(i // images) for i in range(60 * images)]
    held, values, errors = 0, [], []
    for key in range(250):
        shared = draw(60, d, key=f"shared{key}").repeat_interleave(images, 0)
        a, b = ((shared + draw(n, d, key=f"{name}{key}")) / 2**0.5 + shift for name in "ab")
        found = kid_difference(a, b, draw(80, d, key=f"real{key}"), captions)
        values.append(found.value)
        errors.append(found.error)
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / 250 <= 0.98
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.15)


def test_the_difference_is_that_of_the_distances():
    a, b, real = draw(30, 6, key="a"), draw(30, 6, key="b") * 1.3, draw(50, 6, key="real")
    found = kid_difference(a, b, real, [str(i) for i in range(30)])
    assert found.value == pytest.approx(kid(a, real) - kid(b, real), rel=1e-9)


def test_the_interval_of_a_difference_of_frechet_distances_holds_the_truth():
    n, d, held, values, errors = 96, 6, 0, [], []
    captions = [str(i // 2) for i in range(n)]
    for key in range(30):
        shared = draw(n, d, key=f"shared{key}")
        a, b = ((shared + draw(n, d, key=f"{name}{key}")) / 2**0.5 + 0.4 for name in "ab")
        found = frechet_difference(a, b, draw(120, d, key=f"real{key}"), captions, Noise.shared(key))
        values.append(found.value)
        errors.append(found.error)
        held += found.low <= 0 <= found.high
    assert held / 30 >= 0.85 and 0.8 < np.mean(errors) / np.std(values) < 1.7


def test_what_has_no_paired_difference_is_refused():
    x = draw(20, 4)
    with pytest.raises(ValueError, match="all captions are the same"):
        paired_difference(x[:, 0], x[:, 1], ["a"] * 20, Noise.shared(0))
    with pytest.raises(ValueError, match="3 captions for 20 and 20 images"):
        kid_difference(x, x, x, ["a", "b", "c"])
    with pytest.raises(ValueError, match="2 different captions: the error of a Frechet distance needs at least 16"):
        frechet_difference(x, x, x, ["a", "b"] * 10, Noise.shared(0))
    assert torch.isfinite(torch.tensor(kid_difference(x, x, x, ["a", "b"] * 10).error))

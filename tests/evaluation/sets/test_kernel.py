"""The kernel distance and its error."""

import math

import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.evaluation.sets.kernel import kernel, kid, kid_estimate

CASES = [  # n, m, width, shift of the mean
    pytest.param(100, 100, 16, 0.0, id="no difference"),
    pytest.param(50, 200, 16, 0.0, id="no difference, sets of two sizes"),
    pytest.param(100, 100, 16, 0.3, id="a small difference"),
    pytest.param(80, 60, 16, 1.0, id="a large difference"),
]


@pytest.mark.parametrize("n, m, width, shift", CASES)
def test_the_error_is_the_spread_over_draws(n: int, m: int, width: int, shift: float):
    values, errors = [], []
    for key in range(250):
        a, b = draw(n, width, key=f"a{key}"), draw(m, width, key=f"b{key}") + shift
        values.append(kid(a, b))
        if key < 60:
            errors.append(kid_estimate(a, b, Noise.shared(key)).error)
    spread = torch.tensor(values).std().item()
    assert sum(errors) / len(errors) == pytest.approx(spread, rel=0.15)  # 250 draws know it to 5 %


def test_the_error_of_a_large_set_is_estimated_from_a_part():
    a, b = draw(600, 8, key="a"), draw(500, 8, key="b") + 0.5
    whole, part = kid_estimate(a, b, Noise.shared(0)).error, kid_estimate(a, b, Noise.shared(0), maximum=250).error
    assert part == pytest.approx(whole, rel=0.3)
    assert part != whole


@pytest.mark.parametrize("maximum", [20, 2000])
def test_one_look_at_the_kernels_gives_value_error_and_ends(maximum: int):
    a, b = draw(40, 8, key="a"), draw(50, 8, key="b") + 0.5
    found = kid_estimate(a, b, Noise.shared(0), maximum)
    assert found.value == kid(a, b) and found.low < found.value < found.high and found.error > 0
    assert kid_estimate(a, b, Noise.shared(0), maximum, bb=kernel(b, b)) == found


def test_two_pictures_have_a_finite_distance_and_error():
    a, b = draw(2, 8, key="a"), draw(3, 8, key="b")
    assert torch.isfinite(torch.tensor([kid(a, b), kid_estimate(a, b, Noise.shared(0)).error])).all()


def test_one_picture_has_no_distance():
    with pytest.raises(ValueError, match="1 second image: this score needs at least 2"):
        kid(draw(4, 8), draw(1, 8))
    assert math.isnan(kid(draw(4, 8) * math.nan, draw(4, 8)))  # a gate judges it; nothing stops

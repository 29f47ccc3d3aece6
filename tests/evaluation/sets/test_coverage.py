"""Precision, recall, density, coverage against a brute force of their definitions."""

import math

import numpy as np
import pytest
import torch
from tests.fakes import draw

from unclip.evaluation.sets import coverage
from unclip.evaluation.sets.coverage import density_coverage, precision_recall


def by_definition(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """[n, m]: whether x_i lies in the ball of y_j."""
    between = np.linalg.norm(x[:, None] - y[None], axis=-1)
    own = np.sort(np.linalg.norm(y[:, None] - y[None], axis=-1), axis=1)
    return between <= own[:, k]  # own[:, 0] is the image itself


@pytest.mark.parametrize("chunk", [7, 512])
def test_the_figures_are_those_of_the_definitions(chunk: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(coverage, "CHUNK", chunk)
    g, r = draw(60, 5, key="g").double() * 0.8 + 0.4, draw(85, 5, key="r").double()
    inside, back = by_definition(g.numpy(), r.numpy(), 3), by_definition(r.numpy(), g.numpy(), 3)
    found = precision_recall(g, r)
    assert (found.precision.value, found.recall.value) == (inside.any(1).mean(), back.any(1).mean())
    inside = by_definition(g.numpy(), r.numpy(), 5)
    other = density_coverage(g, r)
    assert other.density.value == pytest.approx(inside.sum() / (5 * 60), rel=1e-12)
    assert other.density.error == pytest.approx(np.std(inside.sum(1) / 5, ddof=1) / 60**0.5, rel=1e-12)
    assert other.coverage.value == inside.any(0).mean()
    assert found.precision.low < found.precision.value < found.precision.high


def test_the_same_set_and_one_far_away():
    x = draw(50, 8, key="x")
    same, both = precision_recall(x, x), density_coverage(x, x)
    assert same.precision.value == same.recall.value == both.coverage.value == 1
    assert both.density.value == pytest.approx(6 / 5)  # each lies in its own ball, too
    assert same.precision.low == pytest.approx(1 / (1 + 1.96**2 / 50), rel=1e-4)  # Wilson's: not 1
    far, away = precision_recall(x, x + 100), density_coverage(x, x + 100)
    assert far.precision.value == far.recall.value == away.density.value == away.coverage.value == 0


def test_two_draws_of_one_distribution():
    """Naeem et al. 2020: density has mean 1; coverage of n = m is near 1 - 2^-k."""
    found = [density_coverage(draw(300, 6, key=f"a{i}"), draw(300, 6, key=f"b{i}")) for i in range(8)]
    densities, coverages = [f.density.value for f in found], [f.coverage.value for f in found]
    assert np.mean(densities) == pytest.approx(1, abs=0.05)
    assert np.mean(coverages) == pytest.approx(1 - 2**-5, abs=0.015)


def test_a_dropped_mode_is_a_loss_of_recall_and_coverage():
    real = torch.cat([draw(200, 4, key="one"), draw(200, 4, key="two") + 20])
    half = torch.cat([draw(200, 4, key="three"), draw(200, 4, key="four")])
    assert precision_recall(half, real).precision.value > 0.9
    assert precision_recall(half, real).recall.value < 0.5
    assert density_coverage(half, real).coverage.value == pytest.approx(0.5, abs=0.03)


def test_copies_of_one_image_have_balls_of_radius_zero():
    r = torch.zeros(6, 3)
    assert precision_recall(r, r).precision.value == 1
    assert precision_recall(r + 1e-9, r).precision.value == 0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="3 generated images: this score needs at least 4"):
        precision_recall(draw(3, 2), draw(9, 2))
    with pytest.raises(ValueError, match="5 real images: this score needs at least 6"):
        density_coverage(draw(3, 2), draw(5, 2))
    with pytest.raises(ValueError, match="hold nan or inf"):
        density_coverage(draw(9, 2), draw(9, 2) * math.nan)

"""The exact denoiser of finitely many points against a posterior mean written out, and against what it must obey."""

import itertools
import math

import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.data.moons import two_moons
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.empirical import Empirical
from unclip.diffusion.level import alpha, noised, sigma
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import Tabulated


@pytest.mark.parametrize("level", [-20.0, -6.0, -1.0, 0.0, 2.0, 5.0])
def test_the_posterior_mean_written_out(level: float):
    """E[x0 | x] by Bayes' rule, one point after the other, in float64."""
    points, x = draw(7, 2, key="points"), draw(3, 2, key="x")
    l = torch.tensor(level, dtype=torch.float64)
    a, s = alpha(l).item(), sigma(l).item()
    found = Empirical(points)(x, torch.tensor(level))
    for row, guess in zip(x.tolist(), found.x0.tolist(), strict=True):
        logs = [
            -sum((v - a * p) ** 2 for v, p in zip(row, point, strict=True)) / (2 * s * s) for point in points.tolist()
        ]
        likelihoods = [math.exp(log - max(logs)) for log in logs]
        for axis in range(2):
            weighted = sum(w * point[axis] for w, point in zip(likelihoods, points.tolist(), strict=True))
            assert guess[axis] == pytest.approx(weighted / sum(likelihoods), abs=1e-4)


def test_a_prediction_is_consistent_and_levels_may_differ():
    points, x, levels = draw(5, 3, 2, 2), draw(4, 3, 2, 2, key=1), torch.tensor([-8.0, -1.0, 3.0, 9.0])
    denoise = Empirical(points)
    assert isinstance(denoise, Denoise)
    found = denoise(x, levels)
    assert torch.allclose(noised(found.x0, levels, found.eps), x, atol=1e-5)
    alone = torch.cat([denoise(x[i : i + 1], levels[i]).x0 for i in range(4)])
    assert torch.allclose(found.x0, alone, atol=1e-6)


def test_finite_and_right_at_both_ends():
    points = draw(9, 2)
    noisy, clean = torch.tensor(-20.0), torch.tensor(20.0)
    x = draw(4, 2, key=1)
    assert torch.allclose(Empirical(points)(x, noisy).x0, points.mean(0).expand(4, 2), atol=1e-3)
    assert torch.allclose(Empirical(points)(alpha(clean) * points, clean).x0, points, atol=1e-6)


def test_no_better_denoiser_of_its_points():
    """The posterior mean has the least squared error: any change of it makes the error larger."""
    points, level = two_moons(50, Noise.shared(0)), torch.tensor(1.0)
    x0 = points[Noise.shared(1).integers(50, (20_000,))]
    x = noised(x0, level, Noise.shared(2).normal(x0.shape))
    best = Empirical(points)(x, level).x0
    errors = [(best + change * (x - best) - x0).square().mean() for change in (-0.1, 0.0, 0.1)]
    assert errors[1] < errors[0] and errors[1] < errors[2]


def test_samples_end_at_the_points():
    points = two_moons(40, Noise.shared(0))
    grid = Tabulated((12.0, -6.0)).grid(60)
    *_, last = DDIM()(Empirical(points), draw(64, 2, key=3), grid, Noise.shared(0))
    assert torch.cdist(last.x, points).min(1).values.max() < 1e-3


def test_no_points():
    with pytest.raises(ValueError, match="at least one"):
        Empirical(torch.zeros(0, 2))


def test_weights_fall_on_fewer_points_as_noise_goes():
    denoise, x = Empirical(draw(30, 2)), draw(1, 2, key=1)
    entropies = []
    for level in (-6.0, -2.0, 0.0, 4.0):
        w = denoise.weights(x, torch.tensor(level))[0].double()
        assert w.sum().item() == pytest.approx(1.0)
        entropies.append(-(w * w.clamp(min=1e-300).log()).sum().item())
    assert all(a > b for a, b in itertools.pairwise(entropies))

"""The error by level where it is known: Gaussian data and its exact denoiser."""

import math

import pytest
import torch
from tests.fakes import NOTHING, Function, GaussianData, draw

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.level import like
from unclip.diffusion.parameterization import X0
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import Cosine, LinearBeta
from unclip.diffusion.weighting import MinSNR
from unclip.evaluation.levels import Mean, error_by_level, spread_levels

DATA = GaussianData(mean=0.2, std=0.5)


def exact(limit: float | None = None) -> Diffusion:
    """A network that is the posterior mean of Gaussian data."""
    network = Function(lambda x, l, cond: DATA.denoise(x, like(l, x)).x0)
    return Diffusion(network, DiffusionConfig(Cosine(), X0(), MinSNR(5.0), limit))


def test_the_error_of_the_exact_denoiser_is_the_posterior_variance():
    x0, levels = DATA.mean + DATA.std * draw(400, 1, 8, 8), [-8.0, -2.0, 0.0, 3.0, 8.0]
    for found in error_by_level(exact(), x0, NOTHING, levels, Noise.shared(0)):
        snr = math.exp(found.log_snr)
        expected = 1 / (1 / DATA.std**2 + snr)
        assert found.x0.mean == pytest.approx(expected, rel=0.03)
        assert found.eps.mean == pytest.approx(snr * found.x0.mean, rel=1e-5)
        assert found.loss.mean == pytest.approx(found.eps.mean * min(snr, 5.0) / snr, rel=1e-5)
        assert abs(found.x0.mean - expected) < 4 * found.x0.error


def test_the_standard_error_is_that_of_repeated_measurement():
    x0 = DATA.mean + DATA.std * draw(200 * 50, 1, 2, 2)
    parts = [
        error_by_level(exact(), x0[i : i + 50], NOTHING, [0.0], Noise.shared(i))[0].x0 for i in range(0, 10_000, 50)
    ]
    spread = torch.tensor([part.mean for part in parts]).std().item()
    assert sum(part.error for part in parts) / len(parts) == pytest.approx(spread, rel=0.15)


def test_batches_and_conditions_go_together():
    """More images than a batch: each keeps its own condition."""
    shift = draw(130, 1)
    network = Function(lambda x, l, cond: like(cond.vector[:, 0], x).expand_as(x))
    diffusion = Diffusion(network, DiffusionConfig(Cosine(), X0(), MinSNR(5.0)))
    x0 = shift[:, :, None, None].expand(130, 1, 2, 2)
    found = error_by_level(diffusion, x0, Condition(vector=shift), [-1.0], Noise.shared(0))
    assert found[0].x0.mean == 0


def test_the_clamp_of_sampling_does_not_hide_errors():
    x0 = 3 + draw(64, 1, 2, 2)
    level = [2.0]
    free, clamped = (error_by_level(exact(limit), x0, NOTHING, level, Noise.shared(0)) for limit in (None, 1.0))
    assert free == clamped


def test_levels_reach_both_ends():
    levels = spread_levels(LinearBeta(), 16)
    assert len(levels) == 16
    assert levels[0] == pytest.approx(LinearBeta().table[-1].item(), abs=1e-4)
    assert levels[-1] == pytest.approx(LinearBeta().table[0].item(), abs=1e-4)


def test_one_value_has_no_error():
    only = Mean.of(torch.tensor([2.0]))
    assert only.mean == 2.0
    assert math.isnan(only.error)

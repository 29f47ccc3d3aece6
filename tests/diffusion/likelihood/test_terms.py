"""The bound's terms against other people's numerics."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from tests.fakes import draw, family
from torch.distributions import Normal, kl_divergence

from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.forward import beta, posterior
from unclip.diffusion.level import noised
from unclip.diffusion.likelihood.decoder import DiscretisedGaussian, GaussianDensity, PixelLikelihood
from unclip.diffusion.likelihood.terms import Variance, last_log_variance, mix_of, step_kl
from unclip.diffusion.schedules import CosineBeta, LinearBeta

TABLES = [LinearBeta(), CosineBeta()]
GRID = torch.linspace(-1, 1, 256, dtype=torch.float64)


@pytest.mark.parametrize("mean", [0.0, 0.3, -0.99, 1.2])
@pytest.mark.parametrize("std", [3.0, 0.1, 0.01, 0.001])
def test_the_discretised_decoder_is_scipys_difference_of_cdfs(mean: float, std: float):
    found = DiscretisedGaussian().nats(GRID, torch.full_like(GRID, mean), torch.tensor(2 * math.log(std)))
    edges = np.concatenate([[-np.inf], (GRID[:-1] + 1 / 255).numpy(), [np.inf]])
    lower, upper = norm.logcdf(edges, mean, std), norm.logsf(edges, mean, std)
    with np.errstate(divide="ignore", invalid="ignore"):  # by the nearer tail, each in scipy's own way
        by_low = lower[1:] + np.log1p(-np.exp(lower[:-1] - lower[1:]))
        by_high = upper[:-1] + np.log1p(-np.exp(upper[1:] - upper[:-1]))
    expected = -np.where(edges[:-1] > mean, by_high, by_low)
    near = expected < 600
    assert near.any()
    np.testing.assert_allclose(found.numpy()[near], expected[near], rtol=1e-6, atol=1e-9)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("levels", [2, 16, 256])
@pytest.mark.parametrize("mean, std", [(0.2, 0.05), (-1.5, 0.4), (0.0, 1e-3)])
def test_the_probabilities_of_all_values_sum_to_one(mean: float, std: float, levels: int):
    values = torch.linspace(-1, 1, levels, dtype=torch.float64)
    nats = DiscretisedGaussian(levels).nats(values, torch.full_like(values, mean), torch.tensor(2 * math.log(std)))
    assert torch.exp(-nats).sum().item() == pytest.approx(1.0, abs=1e-9)


def test_the_density_is_torchs():
    x0, mean = draw(5, 3).double(), draw(5, 3, key=1).double()
    found = GaussianDensity().nats(x0, mean, torch.tensor(-1.3))
    assert torch.allclose(found, -Normal(mean, math.exp(-0.65)).log_prob(x0))


@pytest.mark.parametrize("decoder", family(PixelLikelihood), ids=lambda m: m.__name__)
def test_far_off_means_cost_much_but_finitely_and_so_do_their_gradients(decoder: type[PixelLikelihood]):
    x0 = torch.tensor([[-1.0, 0.0, 1.0]]).repeat(3, 1)
    mean = torch.tensor([[-50.0], [0.0], [50.0]]).expand(3, 3).clone().requires_grad_()
    log_variance = torch.full((3, 3), -20.0, requires_grad=True)
    nats = decoder().nats(x0, mean, log_variance)
    gradients = torch.autograd.grad(nats.sum(), [mean, log_variance])
    assert torch.isfinite(torch.stack([nats, *gradients])).all()


@pytest.mark.parametrize("x0, value", [(0.5, "0.5"), (1.2, "1.2"), (-1.1, "-1.1")])
def test_what_is_not_8_bit_has_no_discrete_bits(x0: float, value: str):
    with pytest.raises(ValueError, match=f"x0 = {value}: not one of 256 values"):
        DiscretisedGaussian().check(torch.tensor([[0.2 / 51, x0]]))
    DiscretisedGaussian().check(torch.arange(256.0) / 127.5 - 1)
    GaussianDensity().check(torch.tensor([x0]))


@pytest.mark.parametrize("table", TABLES, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("t", [2, 3, 50, 500, 999, 1000])
@pytest.mark.parametrize("mix", [0.0, 0.37, 1.0])
def test_steps_are_torchs_kl_of_the_two_gaussians(table, t: int, mix: float):
    """Eq. 5 with Eq. 6-7 for q, and p by the same posterior at the network's x0 (DDPM, section 3.2)."""
    levels = table.table
    noisier, cleaner = levels[t - 1], levels[t - 2]
    x0, wrong = draw(4, 6).double(), draw(4, 6, key=1).double()
    x = noised(x0, noisier, draw(4, 6, key=2).double())
    q, p = posterior(x, x0, noisier, cleaner), posterior(x, wrong, noisier, cleaner)
    variance = torch.exp(mix * beta(noisier, cleaner).log() + (1 - mix) * q.variance.log())  # iDDPM, Eq. 15
    expected = kl_divergence(Normal(q.mean, q.variance.sqrt()), Normal(p.mean, variance.sqrt())).mean(1) / math.log(2)
    found = step_kl(x0, wrong, torch.tensor(mix, dtype=torch.float64), noisier, cleaner)
    assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-9)


def test_levels_one_each_and_a_mix_for_each_pixel():
    t, s = torch.tensor([-3.0, 1.0]), torch.tensor([-2.5, 1.2])
    x0, wrong, mix = draw(2, 3, 4), draw(2, 3, 4, key=1), draw(2, 3, 4, key=2).sigmoid().double()
    both = step_kl(x0, wrong, mix, t, s)
    for i in (0, 1):
        alone = step_kl(x0[i : i + 1], wrong[i : i + 1], mix[i : i + 1], t[i], s[i])
        assert torch.equal(both[i], alone[0])


@pytest.mark.parametrize("table", TABLES, ids=lambda t: type(t).__name__)
def test_the_last_variance_is_iddpms(table):
    """beta_1, and beta-tilde_2 = beta_2 (1 - abar_1)/(1 - abar_2) in the place of beta-tilde_1 = 0."""
    betas, bar = table.betas, torch.cumprod(1 - table.betas, 0)
    tilde = betas[1] * (1 - bar[0]) / (1 - bar[1])
    for mix, expected in ((0.0, tilde), (1.0, betas[0]), (0.5, (tilde * betas[0]).sqrt())):
        mix = torch.tensor(mix, dtype=torch.float64)
        found = last_log_variance(torch.zeros(1, 3), mix, table.table[0], table.table[1])
        assert found.exp().item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("variance, expected", [("beta", 1.0), ("beta_tilde", 0.0)])
def test_fixed_variances_are_the_ends_of_the_mix(variance: Variance, expected: float):
    p = Prediction(torch.zeros(1, 2), torch.zeros(1, 2), torch.full((1, 2), 0.3))
    assert mix_of(p, variance) == expected
    assert torch.equal(mix_of(p, "learned"), torch.full((1, 2), 0.3).double())
    with pytest.raises(ValueError, match="variance = learned"):
        mix_of(Prediction(p.x0, p.eps), "learned")

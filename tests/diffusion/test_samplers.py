"""Samplers on Gaussian data, whose exact denoiser is known: right distribution, right order, right equalities."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from tests.fakes import GaussianData, draw, family

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.samplers import DDIM, Ancestral, DPMSolverPP2M, Sampler, Step
from unclip.diffusion.schedules import Cosine, LinearBeta, LogNormal, Schedule

DATA = GaussianData(mean=0.7, std=0.5)
EVERY = [*(m() for m in family(Sampler)), Ancestral("beta_tilde"), DDIM(eta=1.0), DDIM(eta=0.5), DPMSolverPP2M(eta=1.0)]
NAMED = [pytest.param(s, id=str(s)) for s in EVERY]


def last(steps) -> Step:
    *_, end = steps
    return end


@pytest.mark.parametrize(
    "schedule, steps", [(LinearBeta(), 1000), (Cosine(), 400), (LogNormal(), 500)], ids=["linear", "cosine", "karras"]
)
@pytest.mark.parametrize("sampler", NAMED)
def test_mean_and_spread_of_gaussian_data(sampler: Sampler, schedule: Schedule, steps: int):
    """Tolerance 2.5 % of the spread: the steps' error and that of 16 000 draws (0.6 %) together."""
    if sampler == Ancestral("beta") and not isinstance(schedule, LinearBeta):
        pytest.skip("the larger variance is right in the limit of many steps only")
    start = Noise.shared("start").normal((16_000, 1))
    end = last(sampler(DATA.denoise, start, schedule.grid(steps), Noise.shared("steps")))
    assert end.log_snr == math.inf
    assert end.x.mean().item() == pytest.approx(DATA.mean, abs=0.0125)
    assert end.x.std().item() == pytest.approx(DATA.std, rel=0.025)


@pytest.mark.parametrize("sampler, order", [(DDIM(), 1), (DPMSolverPP2M(), 2)], ids=["DDIM", "DPMSolverPP2M"])
def test_order_of_convergence(sampler: Sampler, order: int):
    """Error against the exact flow, on grids uniform in log-SNR, float64: halving the step divides it by 2^order."""
    x, errors = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None], []
    for steps in (40, 80, 160):
        grid = torch.linspace(-6, 6, steps + 1, dtype=torch.float64)
        found = last(sampler(DATA.denoise, x, grid, Noise.shared(0))).x
        errors.append((found - DATA.flow(x, grid[0], grid[-1])).abs().max().item())
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert slopes == pytest.approx([order, order], abs=0.2), errors
    assert errors[-1] < 0.02


def test_second_order_beats_first_at_few_steps():
    x, grid = torch.linspace(-2, 2, 9)[:, None], LogNormal().grid(24)
    exact = DATA.flow(x, grid[0], torch.tensor(30.0))
    first, second = (
        (last(s(DATA.denoise, x, grid, Noise.shared(0))).x - exact).abs().max() for s in (DDIM(), DPMSolverPP2M())
    )
    assert second < first / 3


@pytest.mark.parametrize("schedule", [LinearBeta(), Cosine(), LogNormal()], ids=lambda s: type(s).__name__)
def test_ddim_at_eta_1_is_ancestral(schedule: Schedule):
    x, grid = draw(5, 3), schedule.grid(50)
    a = DDIM(eta=1.0)(DATA.denoise, x, grid, Noise.shared(1))
    b = Ancestral("beta_tilde")(DATA.denoise, x, grid, Noise.shared(1))
    assert all(torch.equal(p.x, q.x) for p, q in zip(a, b, strict=True))


def silent(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    return Prediction(torch.zeros_like(x), torch.zeros_like(x))


def beta(betas: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    return betas[1:]


def beta_tilde(betas: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    return (1 - bar[:-1]) / (1 - bar[1:]) * betas[1:]


@pytest.mark.parametrize("variance, formula", [("beta", beta), ("beta_tilde", beta_tilde)])
def test_ancestral_variance_is_the_tables(variance: str, formula: Callable):
    """Ho et al. 2020, Eq. 7, at every t = 2 ... 1000: with a silent network only the noise is left."""
    table = LinearBeta()
    levels, sampler = table.table.float(), Ancestral(variance)  # pyright: ignore[reportArgumentType]
    found = []
    for i in range(1, 1000):
        step = last(sampler(silent, torch.zeros(1, 4), levels[[i, i - 1]], Noise.shared(i)))
        found.append((step.x / Noise.shared(i).normal((1, 4))).mean() ** 2)
    expected = formula(table.betas, table.table.sigmoid()).float()
    assert torch.allclose(torch.stack(found), expected, rtol=5e-4)


def test_eta_scales_the_noise_of_ddim():
    s = [last(DDIM(eta=e)(silent, torch.zeros(1, 4), torch.tensor([-1.0, 1.0]), Noise.shared(0))).x for e in (0.5, 1.0)]
    assert torch.allclose(2 * s[0], s[1])
    for eta in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"eta = {eta}"):
            DDIM(eta=eta)


@pytest.mark.parametrize("sampler", NAMED)
def test_every_step_is_told(sampler: Sampler):
    grid = Cosine().grid(6)
    steps = list(sampler(DATA.denoise, draw(2, 3), grid, Noise.shared(0)))
    assert torch.equal(torch.stack([s.log_snr for s in steps]), grid[1:])
    assert torch.equal(steps[-1].x, steps[-1].x0)  # the last step ends at the clean estimate, without noise


@pytest.mark.parametrize("sampler", NAMED)
def test_a_sample_does_not_depend_on_its_neighbours(sampler: Sampler):
    def run(seeds: list[int]) -> torch.Tensor:
        noise = Noise.per_sample(seeds)
        return last(sampler(DATA.denoise, noise.normal((len(seeds), 4)), Cosine().grid(10), noise)).x

    assert torch.allclose(run([7, 8, 9])[1], run([8])[0], atol=1e-6)

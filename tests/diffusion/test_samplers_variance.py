"""The variances of the reverse process: DDPM's two, iDDPM's learned one, Analytic-DPM's optimal one."""

import math
from collections.abc import Callable

import pytest
import torch
from tests.fakes import GaussianData, draw

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import forgotten, noised
from unclip.diffusion.samplers import DDIM, AnalyticDPM, Ancestral, Sampler, mean_square_eps
from unclip.diffusion.schedules import Cosine, LinearBeta, LogNormal, Schedule

DATA = GaussianData(mean=0.7, std=0.5)
T, S = torch.tensor(-1.0).double(), torch.tensor(1.5).double()


def end(steps) -> torch.Tensor:
    *_, last = steps
    return last.x


def silent(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """Says that nothing is there, so that only the noise of a step is left; and v = 0.25."""
    return Prediction(torch.zeros_like(x), torch.zeros_like(x), torch.full_like(x, 0.25))


def std_of(sampler: Sampler, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """What the step from t to s multiplies its noise with."""
    found = end(sampler(silent, torch.zeros(1, 4).to(t.dtype), torch.stack([t, s]), Noise.shared(0)))
    return (found / Noise.shared(0).normal((1, 4))).mean()


def beta(betas: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    return betas[1:]


def beta_tilde(betas: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    return (1 - bar[:-1]) / (1 - bar[1:]) * betas[1:]


def learned(betas: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    return beta(betas, bar) ** 0.25 * beta_tilde(betas, bar) ** 0.75


@pytest.mark.parametrize("formula", [beta, beta_tilde, learned])
def test_ancestral_variance_is_the_tables(formula: Callable):
    """Ho et al. 2020, Eq. 7, and Nichol & Dhariwal 2021, Eq. 15, at every tenth t of 2 ... 1000."""
    table, sampler = LinearBeta(), Ancestral(formula.__name__)  # pyright: ignore[reportArgumentType]
    found = torch.stack([std_of(sampler, table.table[i], table.table[i - 1]) for i in range(1, 1000, 10)]) ** 2
    assert torch.allclose(found, formula(table.betas, table.table.sigmoid())[::10], rtol=1e-5)


@pytest.mark.parametrize("schedule", [LinearBeta(), Cosine(), LogNormal()], ids=lambda s: type(s).__name__)
def test_ddim_at_eta_1_is_ancestral(schedule: Schedule):
    x, grid = draw(5, 3), schedule.grid(50)
    a = DDIM(eta=1.0)(DATA.denoise, x, grid, Noise.shared(1))
    b = Ancestral("beta_tilde")(DATA.denoise, x, grid, Noise.shared(1))
    assert all(torch.equal(p.x, q.x) for p, q in zip(a, b, strict=True))


def test_eta_scales_the_noise_of_ddim():
    assert std_of(DDIM(eta=0.5), T, S) * 2 == pytest.approx(std_of(DDIM(eta=1.0), T, S))


def test_the_learned_variance_is_the_elements_own():
    """v = 0 is beta-tilde, v = 1 is beta, and each element has its own."""

    def split(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        return Prediction(torch.zeros_like(x), torch.zeros_like(x), torch.tensor([[0.0, 1.0]]))

    found = end(Ancestral("learned")(split, torch.zeros(1, 2).double(), torch.stack([T, S]), Noise.shared(0)))
    ratio = (found / Noise.shared(0).normal((1, 2)))[0]
    assert ratio.tolist() == pytest.approx([std_of(Ancestral(v), T, S).item() for v in ("beta_tilde", "beta")])


def test_a_denoiser_without_a_variance_is_refused():
    with pytest.raises(ValueError, match="learned no variance; draw with --sampler ddpm"):
        next(Ancestral("learned")(DATA.denoise, draw(2, 3), Cosine().grid(5), Noise.shared(0)))


def measured(eta: float = 1.0, limit: float = 0.0) -> AnalyticDPM:
    levels = torch.linspace(-12, 12, 97)
    clean = DATA.mean + DATA.std * draw(8000, 1, key="clean")
    gamma = mean_square_eps(DATA.denoise, clean, levels, Noise.shared("gamma"))
    return AnalyticDPM(tuple(levels.tolist()), gamma, eta, limit)


def test_mean_square_eps_is_the_closed_form():
    """Of Gaussian data: sigma^2/(alpha^2 std^2 + sigma^2), and what is missing to 1 within 4 errors of 8000 draws."""
    found = measured()
    levels = torch.tensor(found.levels).double()
    missing = torch.sigmoid(levels) * DATA.std**2 / DATA.spread(levels) ** 2
    assert torch.allclose(1 - torch.tensor(found.gamma, dtype=torch.float64), missing, rtol=0.06)
    x = noised(DATA.mean + DATA.std * draw(8000, 1), levels[48], draw(8000, 1, key="eps"))  # the paper's own form
    assert found.gamma[48] == pytest.approx(DATA.denoise(x, levels[48]).eps.square().mean().item(), rel=0.06)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [2, 3, 10])
def test_few_steps_are_exact_on_gaussian_data(steps: int, eta: float):
    """There every reverse step is Gaussian, so the right variance leaves no error, however few steps there are."""
    grid = torch.linspace(-12, 12, steps + 1)
    x = noised(DATA.mean + DATA.std * draw(40_000, 1), grid[0], draw(40_000, 1, key="eps"))
    found = end(measured(eta)(DATA.denoise, x, grid, Noise.shared("steps")))
    assert found.mean().item() == pytest.approx(DATA.mean, abs=0.01)
    assert found.std().item() == pytest.approx(DATA.std, rel=0.025)
    other = end(DDIM(eta)(DATA.denoise, x, grid, Noise.shared("steps")))
    assert steps == 10 or abs(other.std().item() - DATA.std) > 0.1 * DATA.std


def test_the_bounds_of_theorem_2():
    """Gamma = 1: nothing is left to know, beta-tilde. Gamma = 0: nothing is known, beta/(1 - beta)."""
    c = forgotten(T, S)
    minimum, maximum = (AnalyticDPM((0.0,), (g,)).variance(T, S) for g in (1.0, 0.0))
    assert minimum.item() == pytest.approx((torch.sigmoid(-S) * c).item())
    beta_t = torch.sigmoid(-T) * c
    assert maximum.item() == pytest.approx((beta_t / (1 - beta_t)).item())
    for wrong, bound in ((1.2, minimum), (-0.2, maximum)):
        assert AnalyticDPM((0.0,), (wrong,)).variance(T, S) == bound


def test_data_within_limits_bound_the_variance():
    """alpha_s^2 c^2 limit^2 above beta-tilde at eta 1: x0 enters the mean as alpha_s c x0."""
    c = forgotten(T, S)
    bounded = AnalyticDPM((0.0,), (0.0,), limit=0.1).variance(T, S)
    assert bounded.item() == pytest.approx((torch.sigmoid(-S) * c + torch.sigmoid(S) * (c * 0.1) ** 2).item())
    assert AnalyticDPM((0.0,), (0.0,), limit=1e3).variance(T, S) == AnalyticDPM((0.0,), (0.0,)).variance(T, S)


def test_levels_between_and_beyond_the_measured_ones():
    sampler = AnalyticDPM((-2.0, 0.0, 4.0), (0.9, 0.5, 0.1))
    found = [sampler._gamma(torch.tensor(level).double()).item() for level in (-9.0, -2.0, -1.0, 0.0, 2.0, 4.0, 9.0)]
    assert found == pytest.approx([0.9, 0.9, 0.7, 0.5, 0.3, 0.1, 0.1])


def test_it_can_be_stored():
    assert Sampler.from_dict(measured().to_dict()) == measured()
    with pytest.raises(ValueError, match="'levels' is missing"):
        Sampler.from_dict({"kind": "AnalyticDPM"})


@pytest.mark.parametrize(
    "levels, gamma, options, words",
    [
        ((), (), {}, r"levels = \(\): expected 1 to 65536 values"),
        ((0.0, 1.0), (0.5,), {}, "2 levels, 1 gamma"),
        ((1.0, 0.0), (0.5, 0.5), {}, "must rise"),
        ((0.0,), (0.5,), {"eta": 1.5}, "eta = 1.5"),
        ((0.0,), (0.5,), {"limit": -1.0}, "limit = -1.0"),
        ((0.0,), (math.nan,), {}, "nan"),
    ],
)
def test_impossible_figures_are_refused(levels: tuple, gamma: tuple, options: dict, words: str):
    with pytest.raises(ValueError, match=words):
        AnalyticDPM(levels, gamma, **options)

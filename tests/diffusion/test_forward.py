"""The chain, its closed form, its posterior, and what is left at its end.

`python benchmarks/tables.py schedules` prints the table of docs/schedules.md.
"""

import itertools
import math
from pathlib import Path

import pytest
import torch
from tests.fakes import draw, family

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.forward import beta, chain, one_step, posterior, terminal_kl
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers import step
from unclip.diffusion.schedules import BetaTable, LinearBeta, ScaledLinearBeta, Schedule, ZeroTerminalSNR

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(Schedule)]
TABLE = LinearBeta()


@pytest.mark.parametrize("steps", [1, 7, 200])
@pytest.mark.parametrize("schedule", MEMBERS)
def test_moments_of_the_chain_equal_the_closed_form(schedule: Schedule, steps: int):
    """Mean and variance of each x_t by recursion over single steps: exact, no sampling."""
    mean, variance, levels = (
        torch.ones(1, 1).double(),
        torch.zeros(1, 1).double(),
        schedule.grid(steps).double().flip(0),
    )
    for cleaner, noisier in itertools.pairwise(levels):
        variance = one_step(mean, cleaner, noisier).variance + (1 - beta(noisier, cleaner)) * variance
        mean = one_step(mean, cleaner, noisier).mean
        assert mean.item() == pytest.approx(alpha(noisier).item(), rel=1e-9)
        assert variance.item() == pytest.approx(sigma(noisier).item() ** 2, rel=1e-9)


@pytest.mark.parametrize("schedule", MEMBERS)
def test_a_sampled_chain_has_those_moments(schedule: Schedule):
    x0, n = torch.full((10_000, 1), 1.5), 10_000
    for state in chain(x0, schedule.grid(20), Noise.shared("chain")):
        spread = sigma(state.log_snr).item()
        assert state.x.mean().item() == pytest.approx(1.5 * alpha(state.log_snr).item(), abs=5 * spread / n**0.5)
        assert state.x.std().item() == pytest.approx(spread, rel=5 / (2 * n) ** 0.5)


def test_the_whole_chain_of_ddpm():
    states = list(chain(torch.full((4000, 1), 1.5), TABLE.grid(1000), Noise.shared("ddpm")))
    assert len(states) == 1000
    assert torch.equal(torch.stack([s.log_snr for s in states]), TABLE.table.float())
    for t in (1, 10, 100, 250, 1000):
        level = states[t - 1].log_snr
        assert states[t - 1].x.mean().item() == pytest.approx(
            1.5 * alpha(level).item(), abs=5 * sigma(level).item() / 63
        )
        assert states[t - 1].x.std().item() == pytest.approx(sigma(level).item(), rel=0.06)


def test_one_step_is_ddpm_equation_2():
    table, betas = TABLE.table, TABLE.betas
    assert torch.allclose(beta(table[1:], table[:-1]), betas[1:], rtol=1e-9)
    assert beta(table[0], torch.tensor(math.inf)).item() == pytest.approx(betas[0].item(), rel=1e-9)
    x = draw(4, 3).double()
    for t in (1, 500, 999):
        found = one_step(x, table[t - 1], table[t])
        assert torch.allclose(found.mean, (1 - betas[t]).sqrt() * x, rtol=1e-9)


LECTURE = LinearBeta(1e-4, 0.2, 1000)
"""The betas that lectures print: from t = 441 on, the log-SNR lies below -20, at the end at -107."""


@pytest.mark.parametrize("table", [TABLE, LECTURE, LinearBeta(1e-3, 0.9, 1000), ZeroTerminalSNR()], ids=repr)
def test_every_step_of_a_table_adds_its_own_beta(table: BetaTable):
    grid = table.grid(table.length)
    found = torch.stack([beta(noisier, cleaner) for noisier, cleaner in itertools.pairwise(grid)]).flip(0)
    assert torch.allclose(found.double(), table.betas, rtol=2e-3)  # float32: of levels near -107, 7 digits in all
    exact = beta(table.table[1:], table.table[:-1])
    assert torch.allclose(exact, table.betas[1:], rtol=1e-9)


def test_the_chain_of_the_lecture_forgets():
    """E[x_1000 | x_500 = 1] = sqrt(alpha-bar_1000 / alpha-bar_500)."""
    x, grid = torch.ones(1, 1).double(), LECTURE.table[499:]
    for cleaner, noisier in itertools.pairwise(grid):
        x = one_step(x, cleaner, noisier).mean
    wanted = ((LECTURE.log_alpha_bar[999] - LECTURE.log_alpha_bar[499]) / 2).exp().item()
    assert wanted == pytest.approx(1.9e-18, rel=0.05)
    assert x.item() == pytest.approx(wanted, rel=1e-9)
    assert one_step(torch.ones(1, 1), LECTURE.grid(2)[1], LECTURE.grid(2)[0]).mean.item() == pytest.approx(
        wanted, rel=1e-4
    )


@pytest.mark.parametrize("t", [1, 2, 37, 500, 999])
def test_the_posterior_is_ddpm_equations_6_and_7(t: int):
    betas, bar = TABLE.betas, torch.cumprod(1 - TABLE.betas, 0)
    x, x0 = draw(4, 3, 2).double(), draw(4, 3, 2, key=1).double()
    mean = (
        bar[t - 1].sqrt() * betas[t] / (1 - bar[t]) * x0 + (1 - betas[t]).sqrt() * (1 - bar[t - 1]) / (1 - bar[t]) * x
    )
    found = posterior(x, x0, TABLE.table[t], TABLE.table[t - 1])
    assert torch.allclose(found.mean, mean, rtol=1e-8, atol=1e-10)
    assert found.variance.item() == pytest.approx(((1 - bar[t - 1]) / (1 - bar[t]) * betas[t]).item(), rel=1e-8)


@pytest.mark.parametrize("schedule", MEMBERS)
def test_the_posterior_is_bayes_rule(schedule: Schedule):
    """q(x_s|x_0) q(x_t|x_s) = q(x_t|x_0) q(x_s|x_t,x_0) as log densities, at any x."""
    x0, x_s, x_t = (draw(64, key=k).double() for k in "abc")
    for noisier, cleaner in itertools.pairwise(schedule.grid(12)[:-1].double()):
        one, back = one_step(x_s, cleaner, noisier), posterior(x_t, x0, noisier, cleaner)

        def log_density(x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
            return -((x - mean).square() / variance + variance.log()) / 2

        left = log_density(x_s, alpha(cleaner) * x0, sigma(cleaner) ** 2) + log_density(x_t, one.mean, one.variance)
        right = log_density(x_t, alpha(noisier) * x0, sigma(noisier) ** 2) + log_density(x_s, back.mean, back.variance)
        assert torch.allclose(left, right, rtol=1e-6, atol=1e-6)


def test_the_posterior_at_the_data_is_the_data():
    x, x0 = draw(2, 3), draw(2, 3, key=1)
    found = posterior(x, x0, torch.tensor(-1.0), torch.tensor(math.inf))
    assert torch.equal(found.mean, x0)
    assert found.variance == 0


def test_ancestral_sampling_draws_from_the_posterior():
    """The sampler's step with beta-tilde and the true x0 is a draw from q(x_s|x_t,x_0)."""
    x, x0, t, s = draw(3, 4), draw(3, 4, key=1), torch.tensor(-2.0), torch.tensor(-1.5)
    ours = posterior(x, x0, t, s).draw(Noise.shared("z"))
    assert torch.allclose(step(x, Prediction.from_x0(x0, x, t), t, s, Noise.shared("z"), eta=1.0), ours, atol=1e-5)


def test_a_level_a_sample():
    x, x0, t, s = draw(2, 3, 4), draw(2, 3, 4, key=1), torch.tensor([-2.0, 1.0]), torch.tensor([-1.0, 5.0])
    for i in range(2):
        assert torch.allclose(posterior(x, x0, t, s).mean[i], posterior(x, x0, t[i], s[i]).mean[i])
        assert torch.allclose(one_step(x, s, t).mean[i], one_step(x, s[i], t[i]).mean[i])
        assert one_step(x, s, t).variance[i].item() == pytest.approx(beta(t[i], s[i]).item())


def test_finite_in_float32_at_both_ends():
    levels, x = torch.linspace(-20, 20, 401), torch.tensor([[3.0]])
    for noisier, cleaner in itertools.pairwise(levels):
        for found in (one_step(x, cleaner, noisier), posterior(x, x, noisier, cleaner)):
            assert torch.isfinite(found.mean).all()
            assert 0 < found.variance <= 1


def kl_by_hand(x0: torch.Tensor, level: float) -> torch.Tensor:
    """torch's own KL of two normals."""
    wide = torch.tensor(level, dtype=torch.float64)
    q = torch.distributions.Normal(alpha(wide) * x0.double(), sigma(wide))
    nats = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).flatten(1).mean(1)
    return nats.float() / math.log(2)


@pytest.mark.parametrize("level", [-10.0, -5.0, 0.0, 4.0])
def test_terminal_kl_by_hand(level: float):
    x0 = draw(5, 3, 4, 4)
    assert torch.allclose(terminal_kl(x0, torch.tensor(level)), kl_by_hand(x0, level), rtol=1e-5)


def test_terminal_kl_is_never_negative_and_falls_with_the_level():
    kl = torch.stack([terminal_kl(torch.zeros(1, 4), level) for level in torch.linspace(20, -20, 161)])
    assert (kl > 0).all()
    assert (kl.diff(dim=0) < 0).all()
    assert torch.isfinite(kl).all()


LIMITS = {"ScaledLinearBeta": 4e-3, "QuadraticBeta": 1e-3}


@pytest.mark.parametrize("schedule", MEMBERS)
def test_little_is_left_at_the_end_of_every_schedule(schedule: Schedule):
    """DDPM, section 4: about 1e-5 bits a dimension. The tables with square roots leave more."""
    found = terminal_kl(torch.ones(1, 4), schedule.grid(10)[0]).item()
    assert found < LIMITS.get(type(schedule).__name__, 2e-4)


def test_zero_terminal_snr_leaves_nothing():
    x0 = torch.ones(1, 4)
    before, after = (terminal_kl(x0, s.grid(10)[0]).item() for s in (ScaledLinearBeta(), ZeroTerminalSNR()))
    assert before > 1e-3
    assert after < 1e-12


def test_a_chain_needs_a_grid_that_ends_at_the_data():
    for wrong in (torch.tensor([-1.0, 2.0]), torch.tensor([math.inf, 1.0]), torch.tensor([2.0, 1.0, math.inf])):
        with pytest.raises(ValueError, match="rise to"):
            chain(draw(2, 3), wrong, Noise.shared(0))


def rows() -> list[str]:
    """The table of docs/schedules.md."""
    named: dict[str, Schedule] = {f"`{m.__name__}`": m() for m in family(Schedule)}
    named["`LinearBeta(beta_T=0.2)`"] = LinearBeta(beta_T=0.2)
    named["`LinearBeta(1e-3, 0.2, T=100)`"] = LinearBeta(1e-3, 0.2, 100)
    named["`ZeroTerminalSNR(ScaledLinearBeta())`"] = ZeroTerminalSNR(ScaledLinearBeta())
    found = []
    for name, member in named.items():
        clean, end = member(torch.zeros(1)).item(), member.grid(10)[0]
        one, quarter = (terminal_kl(torch.full((1, 1), size), end).item() for size in (1.0, 0.5))
        found.append(f"| {name} | {clean:.1f} | {end.item():.1f} | {one:.1e} | {quarter:.1e} |")
    return found


def test_the_documentation_shows_these_figures():
    page = (Path(__file__).resolve().parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
    assert [row for row in rows() if row not in page] == []

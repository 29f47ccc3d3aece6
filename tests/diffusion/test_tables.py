"""Tables of betas: equal to diffusers', finite however far they go, and refused where the SNR does not fall."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from tests.fakes import family

from unclip.diffusion.level import alpha, resolvable
from unclip.diffusion.schedules import (
    BetaTable,
    Cosine,
    CosineBeta,
    LinearBeta,
    QuadraticBeta,
    ScaledLinearBeta,
    SigmoidBeta,
    ZeroTerminalSNR,
)

PAIRS = [
    pytest.param(LinearBeta(), "linear", 1e-4, 0.02, id="linear"),
    pytest.param(LinearBeta(1e-3, 0.2, 100), "linear", 1e-3, 0.2, id="linear-100"),
    pytest.param(ScaledLinearBeta(), "scaled_linear", 0.00085, 0.012, id="scaled_linear"),
    pytest.param(QuadraticBeta(), "scaled_linear", 1e-4, 0.02, id="quadratic"),
    pytest.param(CosineBeta(), "squaredcos_cap_v2", 1e-4, 0.02, id="cosine"),
    pytest.param(CosineBeta(T=50), "squaredcos_cap_v2", 1e-4, 0.02, id="cosine-50"),
    pytest.param(SigmoidBeta(), "sigmoid", 1e-4, 0.02, id="sigmoid"),
]
TABLES = [pytest.param(m(), id=m.__name__) for m in family(BetaTable)]


@pytest.mark.parametrize("ours, name, first, last", PAIRS)
def test_alpha_bar_equals_diffusers(ours: BetaTable, name: str, first: float, last: float):
    T = len(ours.betas)
    theirs = DDPMScheduler(T, beta_start=first, beta_end=last, beta_schedule=name).alphas_cumprod.double()  # pyright: ignore
    bar = ours.log_alpha_bar.exp()
    assert theirs.shape == bar.shape
    assert (bar - theirs).abs().max() < 2e-6  # theirs is a product in float32
    assert (bar[:-1] / theirs[:-1] - 1).abs().max() < 1e-4


@pytest.mark.parametrize("name, of", [("linear", LinearBeta()), ("scaled_linear", ScaledLinearBeta())])
def test_zero_terminal_snr_equals_diffusers(name: str, of: LinearBeta | ScaledLinearBeta):
    ends = {"beta_start": of.beta_1, "beta_end": of.beta_T}
    theirs = DDPMScheduler(1000, beta_schedule=name, rescale_betas_zero_snr=True, **ends).alphas_cumprod.double()  # pyright: ignore
    bar = ZeroTerminalSNR(of).log_alpha_bar.exp()
    assert (bar - theirs).abs().max() < 2e-6
    assert bar[0].item() == pytest.approx(1 - of.beta_1, rel=1e-12)
    assert bar[-1] == 0
    assert ZeroTerminalSNR(of).betas[-1] == 1


def test_the_comparison_can_fail():
    theirs = DDPMScheduler(1000, beta_schedule="scaled_linear", beta_start=1e-4, beta_end=0.02).alphas_cumprod  # pyright: ignore
    assert (LinearBeta().log_alpha_bar.exp() - theirs).abs().max() > 0.1


@pytest.mark.parametrize("table", TABLES)
def test_log_alpha_bar_is_the_cumulative_product(table: BetaTable):
    assert torch.allclose(table.log_alpha_bar.exp(), torch.cumprod(1 - table.betas, 0), rtol=1e-10, atol=0)
    seen = table.table >= -20
    bar = table.log_alpha_bar.exp()[seen]
    assert torch.allclose(table.table[seen], torch.log(bar / (1 - bar)), atol=1e-8)


@pytest.mark.parametrize(
    "of", [CosineBeta(), LinearBeta(beta_T=0.2), ZeroTerminalSNR()], ids=lambda s: type(s).__name__
)
def test_zero_terminal_snr_takes_any_table(of: BetaTable):
    rescaled = ZeroTerminalSNR(of)
    assert rescaled.log_alpha_bar[-1] == -math.inf
    assert torch.isfinite(rescaled.table).all()
    assert (rescaled.table.diff() < 0).all()
    assert torch.allclose(ZeroTerminalSNR(rescaled).log_alpha_bar.exp(), rescaled.log_alpha_bar.exp(), atol=1e-12)


def test_the_cosine_table_is_the_cosine_schedule():
    """Entry t of T is abar(t/T), except where the last beta is capped; the schedule's clip at 15 is not reached."""
    t = torch.arange(1, 1000, dtype=torch.float64) / 1000
    assert torch.allclose(Cosine()(t).double(), CosineBeta().table[:-1], atol=1e-4)
    assert CosineBeta().betas[-1] == 0.999


def test_a_table_that_goes_far_below_noise_stays_finite_and_falls():
    """beta_T = 0.2 at T = 1000 ends at alpha-bar = e^-107, which float32 cannot hold."""
    table = LinearBeta(beta_T=0.2)
    assert table.log_alpha_bar[-1] < -100
    levels = table(torch.linspace(0, 1, 1000))
    assert (levels.diff() < 0).all()
    assert levels[-1].item() == pytest.approx(table.log_alpha_bar[-1].item(), abs=1e-4)
    assert table.grid(1000).diff().min() > 0
    worked_at = resolvable(levels)
    assert worked_at[-1] > -26
    assert (worked_at.diff() < 0).all()
    assert (1 / alpha(worked_at)).max() < 3e5  # what a network that predicts eps is multiplied with


def test_what_a_beta_of_0_2_changes():
    """Pure noise (log-SNR -20) from t = 441 on at T = 1000; at T = 100, with beta_1 = 1e-3, it is DDPM's own end."""
    noise = (LinearBeta(beta_T=0.2).table < -20).nonzero().min().item() + 1
    assert noise == 441
    assert not (LinearBeta().table < -20).any()
    lecture, ddpm = LinearBeta(beta_T=0.2).table, LinearBeta().table
    assert (lecture <= ddpm[-1]).sum() == 686  # from t = 315 on
    assert [((table > -5) & (table < 5)).sum() for table in (lecture, ddpm)] == [214, 681]
    short = LinearBeta(1e-3, 0.2, 100)
    assert short.table[-1].item() == pytest.approx(LinearBeta().table[-1].item(), abs=0.7)
    t = torch.linspace(0.1, 1, 10)
    assert (short(t) - LinearBeta()(t)).abs().max() < 0.7


@pytest.mark.parametrize("table", TABLES)
def test_sampling_uses_the_tables_own_entries(table: BetaTable):
    entries = table.table.float().tolist()
    for steps in (1, 3, 16, 48, 80, 250, 999, 1000):
        grid = table.grid(steps)[:-1].tolist()
        assert set(grid) <= set(entries)
        assert grid[0] == entries[-1]
        assert len(set(grid)) == steps


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.0, math.nan])
def test_a_table_that_does_not_fall_is_refused(wrong: float, monkeypatch: pytest.MonkeyPatch):
    betas = torch.tensor([0.1, 0.2, wrong, 0.3], dtype=torch.float64)
    monkeypatch.setattr(LinearBeta, "make", lambda self: betas)
    with pytest.raises(ValueError, match="beta_3 = "):
        LinearBeta().grid(2)


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: LinearBeta(beta_1=0.0), "beta_1 = 0.0"),
        (lambda: LinearBeta(beta_T=1.0), "beta_T = 1.0"),
        (lambda: LinearBeta(T=1), "T = 1"),
        (lambda: ScaledLinearBeta(beta_1=0.5), "beta_1 = 0.5"),
        (lambda: CosineBeta(T=0), "T = 0"),
        (lambda: CosineBeta(cap=1.0), "cap = 1.0"),
        (lambda: CosineBeta(s=-1.0), "s = -1.0"),
    ],
)
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()

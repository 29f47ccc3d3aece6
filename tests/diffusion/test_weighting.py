"""Weights per unit of log-SNR: what they integrate to does not depend on the schedule."""

import pytest
import torch
from scipy.integrate import quad
from tests.fakes import GaussianData, draw, family

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.grids import ends
from unclip.diffusion.level import like
from unclip.diffusion.parameterization import X0
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import Cosine, Laplace, LinearBeta, LogNormal, RectifiedFlow, Schedule, Tabulated
from unclip.diffusion.schedules.density import slope
from unclip.diffusion.weighting import P2, MinSNR, SigmoidWeight, Simple, VariationalBound, Weighting

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(Schedule)]
DATA = GaussianData(mean=0.2, std=0.5)


@pytest.mark.parametrize(
    "weighting, snr, on_eps",
    [
        (P2(), 3.0, 1 / 4),
        (P2(k=2.0, gamma=0.5), 7.0, 1 / 3),
        (P2(gamma=0.0), 100.0, 1.0),
        (VariationalBound(), 9.0, 1 / 2),
        (SigmoidWeight(bias=0.0), 1.0, 1 / 4),
        (SigmoidWeight(bias=0.0), 3.0, 1 / 8),
    ],
)
def test_weights_on_eps_by_hand(weighting: Weighting, snr: float, on_eps: float):
    assert weighting(torch.tensor([snr]).log()).item() == pytest.approx(on_eps, rel=1e-5)


@pytest.mark.parametrize("schedule", MEMBERS)
def test_slope_times_a_mean_over_time_is_an_integral(schedule: Schedule):
    """E_t[slope(l) g(l)] = integral of g over the log-SNR between the ends."""
    t = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    levels = schedule(t)
    found = (slope(schedule, levels) * torch.exp(-(levels**2) / 8)).double().mean().item()
    noisy, clean = ends(schedule)
    assert found == pytest.approx(quad(lambda l: 2.718281828459045 ** (-(l**2) / 8), noisy, clean)[0], rel=5e-3)


@pytest.mark.parametrize("schedule", [Tabulated((10.0, -10.0)), RectifiedFlow()], ids=lambda s: type(s).__name__)
def test_slope_is_the_derivative(schedule: Schedule):
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    expected = 20 * torch.ones(19) if isinstance(schedule, Tabulated) else 2 / (t * (1 - t))
    assert torch.allclose(slope(schedule, schedule(t)), expected.float(), rtol=5e-3)


def test_no_slope_where_a_schedule_is_clipped_and_beyond():
    levels = torch.tensor([-25.0, -15.0, 15.0, 25.0])
    assert torch.equal(slope(Cosine(), levels), torch.zeros(4))


class Exact(torch.nn.Module):
    def forward(self, x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        return DATA.denoise(x, like(log_snr, x)).x0


EVEN = [(s, w) for s in (LinearBeta(), Tabulated(), Laplace(b=2.0)) for w in (VariationalBound(), SigmoidWeight(0.0))]
"""Schedules that draw their ends often enough for the bound; the others are for weights that fade there."""


@pytest.mark.parametrize(
    "schedule, weighting", [*EVEN, (Cosine(), SigmoidWeight(0.0)), (LogNormal(), SigmoidWeight(0.0))], ids=str
)
def test_the_loss_is_the_papers_integral_on_every_schedule(schedule: Schedule, weighting: Weighting):
    """1/2 integral of w(l) E|eps - eps_hat|^2 dl (Kingma & Gao 2023), the expectation in closed form."""
    x0 = DATA.mean + DATA.std * draw(4096, 32)
    loss = Diffusion(Exact(), DiffusionConfig(schedule, X0(), weighting)).loss(x0, Condition(), Noise.shared(0))

    def integrand(l: float) -> float:
        level = torch.tensor(l, dtype=torch.float64)
        return (weighting(level) * level.exp() / (level.exp() + 1 / DATA.std**2)).item()

    expected = quad(integrand, *ends(schedule), limit=200)[0]
    assert loss.mean().item() == pytest.approx(expected, abs=4 * loss.std().item() / 64)
    assert loss.mean().item() == pytest.approx(expected, rel=0.1)


def test_others_are_per_draw():
    levels = Cosine()(torch.linspace(0, 1, 9))
    for weighting in (Simple(), MinSNR(), P2()):
        assert torch.equal(weighting.weight_of_sample(levels, Cosine()), weighting(levels))


@pytest.mark.parametrize("make, value", [(lambda: P2(k=0.0), "k = 0.0"), (lambda: P2(gamma=-1.0), "gamma = -1.0")])
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()

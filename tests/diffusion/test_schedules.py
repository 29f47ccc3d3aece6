"""Every schedule falls; the named ones equal their papers' tables."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from tests.fakes import family

from unclip.core.noise import Noise
from unclip.diffusion.schedules import Cosine, LinearBeta, LogNormal, Schedule

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(Schedule)]


def test_the_family_is_whole():
    assert {LinearBeta, Cosine, LogNormal} <= set(family(Schedule))


@pytest.mark.parametrize("schedule", MEMBERS)
def test_log_snr_falls_with_time(schedule: Schedule):
    levels = schedule(torch.linspace(0, 1, 501))
    assert torch.isfinite(levels).all()
    assert (levels.diff() <= 0).all()
    assert (levels[5:-5].diff() < 0).float().mean() > 0.95  # flat at most where it is clipped
    assert levels[0] > 5
    assert levels[-1] < -5


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("schedule", MEMBERS)
def test_grids_rise_to_clean(schedule: Schedule, steps: int):
    grid = schedule.grid(steps)
    assert grid.shape == (steps + 1,)
    assert grid.dtype == torch.float32
    assert grid[-1] == math.inf
    assert torch.isfinite(grid[:-1]).all()
    assert (grid.diff() > 0).all()
    assert grid[0] < -5  # nearly pure noise, which is what a sampler starts from


@pytest.mark.parametrize("steps", [0, -1])
@pytest.mark.parametrize("schedule", MEMBERS)
def test_no_steps_are_refused(schedule: Schedule, steps: int):
    with pytest.raises(ValueError, match=f"steps = {steps}"):
        schedule.grid(steps)


@pytest.mark.parametrize("schedule", MEMBERS)
def test_a_draw_takes_one_level_from_each_slice_of_time(schedule: Schedule):
    n = 16
    edges = schedule(torch.linspace(0, 1, n + 1))
    for key in range(20):
        levels = schedule.draw(n, Noise.shared(key)).sort(descending=True).values
        assert (levels <= edges[:-1] + 1e-5).all()
        assert (levels >= edges[1:] - 1e-5).all()


@pytest.mark.parametrize("schedule", MEMBERS)
def test_a_draw_is_shuffled(schedule: Schedule):
    """Else the first samples of a batch would always be the clean ones."""
    ranks = torch.stack([schedule.draw(8, Noise.shared(k)).argsort().argsort() for k in range(400)]).float()
    assert (ranks.mean(0) - 3.5).abs().max() < 0.6


def test_linear_beta_is_the_cumulative_product():
    schedule = LinearBeta()
    bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    assert torch.allclose(schedule.table.sigmoid(), bar, rtol=1e-12, atol=0)
    assert torch.allclose(schedule(torch.linspace(0, 1, 1000)), schedule.table.float(), atol=2e-4)


def test_linear_beta_equals_diffusers():
    theirs = DDPMScheduler(1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear").alphas_cumprod.double()
    ours = LinearBeta().table.sigmoid()
    assert (ours / theirs - 1).abs().max() < 2e-5  # theirs is a product in float32
    assert (ours - theirs).abs().max() < 1e-6


def test_linear_beta_strides_its_own_table():
    schedule = LinearBeta()
    assert torch.equal(schedule.grid(1000)[:-1], schedule.table.flip(0).float())
    assert torch.equal(schedule.grid(4)[:-1], schedule.table[[999, 749, 499, 249]].float())
    assert schedule.grid(999).diff().min() > 0
    with pytest.raises(ValueError, match="steps = 1001.*T = 1000"):
        schedule.grid(1001)


def test_cosine_equals_the_formula():
    t, s = torch.linspace(0.02, 0.98, 97, dtype=torch.float64), 0.008

    def f(t: torch.Tensor) -> torch.Tensor:
        return torch.cos((t + s) / (1 + s) * math.pi / 2) ** 2

    bar = f(t) / f(torch.zeros(1, dtype=torch.float64))
    assert torch.allclose(Cosine()(t).double().sigmoid(), bar, rtol=1e-5)


def test_cosine_is_clipped_at_its_ends():
    ends = Cosine(limit=9.0)(torch.tensor([0.0, 1.0]))
    assert ends.tolist() == [9.0, -9.0]


def test_log_normal_has_the_quantiles_of_its_distribution():
    t = torch.tensor([0.15865525, 0.5, 0.84134475])
    log_s = -LogNormal(mean=-1.2, std=1.2)(t) / 2
    assert torch.allclose(log_s, torch.tensor([-2.4, -1.2, 0.0]), atol=1e-4)


def test_log_normal_samples_karras_steps():
    """Karras et al. 2022, Eq. 5, written as there."""
    n, rho, low, high = 18, 7, 0.002, 80
    karras = [(high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho for i in range(n)]
    assert torch.allclose(torch.exp(-LogNormal().grid(n)[:-1] / 2), torch.tensor(karras), rtol=1e-4)


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: LinearBeta(beta_1=0.0), "beta_1 = 0.0"),
        (lambda: LinearBeta(beta_T=1.0), "beta_T = 1.0"),
        (lambda: LinearBeta(T=1), "T = 1"),
        (lambda: LogNormal(s_min=3.0, s_max=2.0), "s_min = 3.0"),
    ],
)
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()

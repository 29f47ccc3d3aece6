"""Every schedule falls; the named ones equal their papers' tables."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from tests.fakes import awake, built, family

from unclip.core.noise import Noise
from unclip.diffusion.grids import ends
from unclip.diffusion.level import alpha, resolvable, sigma
from unclip.diffusion.schedules import (
    BetaTable,
    Cosine,
    Karras,
    Laplace,
    LinearBeta,
    LogitNormal,
    LogNormal,
    RectifiedFlow,
    Schedule,
    Shifted,
    Sigmoid,
    Tabulated,
)
from unclip.nn.blocks.embed import LevelEmbedding

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(Schedule)]
WIDE = [  # settings that reach log-SNR -20 and 20, or go as far as they can
    Cosine(limit=20.0),
    Cosine(s=0.0, limit=20.0),
    Sigmoid(limit=20.0),
    Sigmoid(start=0.0, tau=0.1, limit=20.0),
    Sigmoid(tau=100.0, limit=20.0),
    RectifiedFlow(limit=20.0),
    Tabulated((20.0, -20.0)),
    Shifted(Cosine(), -5.0),
    Karras(s_min=math.exp(-10), s_max=math.exp(10)),
    LogNormal(std=9.0, s_min=math.exp(-10), s_max=math.exp(10)),
    LogitNormal(std=9.0, limit=20.0),
    Laplace(b=3.0, limit=20.0),
    LinearBeta(1e-9, 0.02),
    LinearBeta(1e-9, 0.2),
]


def test_the_family_is_whole():
    continuous = {Cosine, Sigmoid, RectifiedFlow, Tabulated, Shifted, Karras, LogNormal, LogitNormal, Laplace}
    assert set(family(Schedule)) == continuous | set(family(BetaTable))


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
    ranks = torch.stack([schedule.draw(8, Noise.shared(k)).argsort().argsort() for k in range(120)]).float()
    assert (ranks.mean(0) - 3.5).abs().max() < 1.0


@pytest.mark.parametrize("schedule", [*WIDE, *(m() for m in family(Schedule))], ids=repr)
def test_both_ends_in_float32_and_bfloat16(schedule: Schedule):
    """Close to both ends, where formulas lose digits; times in any precision; levels as a bf16 network gets them."""
    near = torch.logspace(-12, -1, 200, dtype=torch.float64)
    t = torch.cat([torch.zeros(1), near, 1 - near.flip(0), torch.ones(1)])
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        levels = schedule(t.to(dtype))
        assert levels.dtype == torch.float32
        assert torch.isfinite(levels).all()
        assert (levels.diff() <= 0).all()
    levels = resolvable(levels)
    assert (levels.bfloat16().diff() <= 0).all()
    for part in (alpha(levels), sigma(levels), alpha(levels.bfloat16()), sigma(levels.bfloat16())):
        assert torch.isfinite(part).all()
        assert (part > 0).all()


@pytest.mark.parametrize("schedule", [WIDE[0], WIDE[-1], LinearBeta()], ids=repr)
def test_a_network_in_bfloat16_tells_the_levels_apart(schedule: Schedule):
    embed = awake(built(lambda: LevelEmbedding(16))).bfloat16()
    with torch.no_grad():
        found = embed(schedule(torch.linspace(0, 0.4, 5)).bfloat16())
    assert torch.isfinite(found).all()
    assert (found.diff(dim=0).abs().amax(1) > 0).all()


def test_draws_reach_both_ends_and_stay_finite():
    for schedule in WIDE:
        levels = schedule.draw(4096, Noise.shared(0))
        assert torch.isfinite(levels).all()
        assert levels.max() > 5 > -5 > levels.min()


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


def test_sigmoid_equals_the_formula():
    """Jabri et al. 2022, as written there: the defaults are start -3, end 3, tau 1."""
    t, start, end, tau = torch.linspace(0.01, 0.99, 50, dtype=torch.float64), -3.0, 3.0, 0.9
    v_start, v_end = (torch.tensor(v / tau).double().sigmoid() for v in (start, end))
    gamma = (v_end - torch.sigmoid((t * (end - start) + start) / tau)) / (v_end - v_start)
    assert torch.allclose(Sigmoid(start, end, tau)(t).double().sigmoid(), gamma, rtol=1e-5)
    assert Sigmoid()(torch.tensor(0.5)).item() == pytest.approx(0.0, abs=1e-6)


def test_rectified_flow_has_t_over_1_minus_t():
    t = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    level = RectifiedFlow()(t).double()
    assert torch.allclose(sigma(level) / alpha(level), t / (1 - t), rtol=1e-5)


def test_logit_normal_draws_flow_times_whose_logit_is_normal():
    levels = LogitNormal(mean=0.5, std=0.8).draw(20_000, Noise.shared(0))
    flow_time = torch.sigmoid(-levels / 2)  # sigma/alpha = t/(1 - t)
    logit = torch.logit(flow_time)
    assert logit.mean().item() == pytest.approx(0.5, abs=1e-2)
    assert logit.std().item() == pytest.approx(0.8, abs=1e-2)
    assert torch.equal(LogitNormal().grid(7), RectifiedFlow().grid(7))


def test_laplace_has_the_quantiles_of_its_distribution():
    t = torch.tensor([0.05, 0.3, 0.5, 0.8, 0.99], dtype=torch.float64)
    theirs = torch.distributions.Laplace(0.4, 0.7).icdf(1 - t)
    assert torch.allclose(Laplace(0.4, 0.7)(t).double(), theirs, atol=1e-6)
    levels = Laplace(0.4, 0.7).draw(50_000, Noise.shared(0))
    assert levels.mean().item() == pytest.approx(0.4, abs=0.01)
    assert (levels - 0.4).abs().mean().item() == pytest.approx(0.7, abs=0.01)  # b is the mean distance


def test_karras_is_equation_5_at_every_time():
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    s = (0.002 ** (1 / 7) + t * (80 ** (1 / 7) - 0.002 ** (1 / 7))) ** 7
    assert torch.allclose(torch.exp(-Karras()(t).double() / 2), s, rtol=1e-5)
    assert torch.equal(Karras().grid(18), LogNormal().grid(18))


def test_tabulated_is_straight_between_its_levels():
    t = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    assert Tabulated((8.0, 2.0, -6.0))(t).tolist() == [8.0, 5.0, 2.0, -2.0, -6.0]


def test_a_shift_is_the_shift_of_flow_time():
    """Esser et al. 2024: twice the side (r = 2) moves t to 2 t/(1 + t), which is log-SNR - 2 ln 2."""
    t = torch.linspace(0.05, 0.95, 19)
    shifted = Shifted(RectifiedFlow(), -2 * math.log(2))
    assert torch.allclose(shifted(t), RectifiedFlow()(2 * t / (1 + t)), atol=1e-4)
    assert torch.allclose(shifted.grid(9)[:-1], RectifiedFlow().grid(9)[:-1] - 2 * math.log(2))
    table = Shifted(LinearBeta(), 1.0)
    assert torch.allclose(table.grid(1000)[:-1], LinearBeta().table.flip(0).float() + 1)


def test_log_normal_has_the_quantiles_of_its_distribution():
    t = torch.tensor([0.15865525, 0.5, 0.84134475])
    log_s = -LogNormal(mean=-1.2, std=1.2)(t) / 2
    assert torch.allclose(log_s, torch.tensor([-2.4, -1.2, 0.0]), atol=1e-4)


def test_log_normal_samples_karras_steps():
    """Karras et al. 2022, Eq. 5, written as there."""
    n, rho, low, high = 18, 7, 0.002, 80
    karras = [(high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho for i in range(n)]
    assert torch.allclose(torch.exp(-LogNormal().grid(n)[:-1] / 2), torch.tensor(karras), rtol=1e-4)


def test_sampling_ends_at_s_last_and_training_does_not():
    whole, short = LogNormal(s_min=0.01), LogNormal(s_min=0.01, s_last=0.1)
    s = torch.exp(-short.grid(8) / 2)
    assert s[[0, -2, -1]].tolist() == pytest.approx([80.0, 0.1, 0.0])
    assert torch.equal(short(torch.linspace(0, 1, 9)), whole(torch.linspace(0, 1, 9)))
    assert torch.equal(LogNormal(s_min=0.1).grid(8), short.grid(8)) and ends(short) == ends(whole)


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: Cosine(limit=0.0), "limit = 0.0"),
        (lambda: Cosine(limit=1.0).grid(32), "steps = 32: two of the levels.*schedule.limit = 1 cuts"),
        (lambda: Sigmoid(limit=21.0), "limit = 21.0"),
        (lambda: RectifiedFlow(limit=-1.0), "limit = -1.0"),
        (lambda: LogitNormal(limit=math.nan), "limit = nan"),
        (lambda: LogitNormal(std=0.0), "std = 0.0"),
        (lambda: LogNormal(std=-1.0), "std = -1.0"),
        (lambda: LogNormal(s_last=80.0), "s_last = 80.0: must lie from s_min = 0.002 to below s_max = 80.0"),
        (lambda: LogNormal(s_last=0.001), "s_last = 0.001"),
        (lambda: Laplace(b=0.0), "b = 0.0"),
        (lambda: Sigmoid(start=3.0), "start = 3.0"),
        (lambda: Sigmoid(tau=0.0), "tau = 0.0"),
        (lambda: Karras(s_min=0.0), "s_min = 0.0"),
        (lambda: Karras(rho=-1.0), "rho = -1.0"),
        (lambda: Tabulated((1.0,)), "levels = .1.0,.*2 to 65536 values"),
        (lambda: Tabulated((1.0, 2.0)), "2.0 follows 1.0"),
        (lambda: Tabulated((1.0, math.nan)), r"levels\[1\] = nan"),
        (lambda: Tabulated((1.0, -math.inf)), r"levels\[1\] = -inf"),
        (lambda: LogNormal(s_min=3.0, s_max=2.0), "s_min = 3.0"),
    ],
)
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()

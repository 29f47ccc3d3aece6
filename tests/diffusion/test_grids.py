"""Grids: any grid with any schedule, or an error that says why not."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes import NOTHING, GaussianData, Recorded, draw, family

from unclip.core.noise import Noise
from unclip.diffusion.grids import (
    NAMES,
    BothEnds,
    FixedLevels,
    Grid,
    Jumps,
    KarrasSteps,
    Leading,
    QuadraticTime,
    Sections,
    ToFirstEntry,
    UniformLogSNR,
    UniformTime,
    ends,
    named,
)
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import (
    Cosine,
    CosineBeta,
    LinearBeta,
    LogitNormal,
    LogNormal,
    RectifiedFlow,
    Schedule,
    Tabulated,
)

SCHEDULES = [pytest.param(m(), id=m.__name__) for m in family(Schedule)]
GRIDS = [
    pytest.param(m() if m is not FixedLevels else FixedLevels((-5.0, 0.0, 5.0)), id=m.__name__) for m in family(Grid)
]
ANY = [g for g in GRIDS if g.id not in ("FixedLevels", "Sections", "Leading", "ToFirstEntry")]
ENTRIES = LinearBeta().table.float()


def test_the_family_is_whole():
    assert set(family(Grid)) == {
        UniformTime, BothEnds, Leading, ToFirstEntry, QuadraticTime, Sections, UniformLogSNR, KarrasSteps, FixedLevels,
        Jumps,
    }  # fmt: skip


@pytest.mark.parametrize("grid", ANY)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_grid_goes_with_every_schedule(schedule: Schedule, grid: Grid):
    for steps in (1, 2, 10, 50):
        found = grid(schedule, steps)
        assert found.shape == (steps + 1,)
        assert found.dtype == torch.float32
        assert found[-1] == math.inf
        assert (found.diff() > 0).all()
        by_time = isinstance(grid, UniformTime | BothEnds | QuadraticTime | Sections)
        start = schedule(torch.ones(())).item() if by_time else ends(schedule)[0]
        assert found[0].item() == pytest.approx(start, abs=1e-3)  # all of them start at the noisy end


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_sections_and_given_lists_go_with_every_schedule(schedule: Schedule):
    assert Sections()(schedule, 27)[0].item() == pytest.approx(schedule(torch.ones(())).item(), abs=1e-3)
    assert FixedLevels((-4.0, 1.0))(schedule, 2).tolist() == [-4.0, 1.0, math.inf]


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str):
    assert named(name)(LinearBeta(), 27)[-1] == math.inf
    assert Grid.from_dict(named(name).to_dict()) == named(name)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="grid = 'even'.*log-snr"):
        named("even")


def test_the_documentation_names_every_grid():
    page = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
    for name, grid in NAMES.items():
        assert f"| `{name}` | `{type(grid).__name__}` |" in page, name


def test_uniform_time_is_the_own_grid_of_tables_and_functions():
    for schedule in (LinearBeta(), Cosine(), RectifiedFlow()):
        assert torch.equal(UniformTime()(schedule, 48), schedule.grid(48))


@pytest.mark.parametrize("steps", [2, 3, 7, 25, 1000])
def test_both_ends_are_the_times_of_diffusers_unclip_scheduler(steps: int):
    times = (np.arange(0, steps) * (999 / (steps - 1))).round()[::-1].astype(int)
    assert torch.equal(BothEnds()(CosineBeta(), steps)[:-1], CosineBeta().table.float()[times.copy()])


def test_both_ends_of_one_step_and_of_too_many():
    assert BothEnds()(LinearBeta(), 1)[0] == LinearBeta().table[-1].float()
    with pytest.raises(ValueError, match="steps = 1001: there are T = 1000 times"):
        BothEnds()(Cosine(), 1001)


@pytest.mark.parametrize("steps", [1, 2, 7, 30, 50, 333])
def test_leading_are_the_times_of_diffusers_ddim_scheduler(steps: int):
    times = (np.arange(0, steps) * (1000 // steps)).round()[::-1].astype(int) + 1
    assert torch.equal(Leading()(LinearBeta(), steps)[:-1], ENTRIES[times.copy()])
    assert torch.equal(ToFirstEntry(Leading())(LinearBeta(), steps)[-1], ENTRIES[0])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_leading_goes_with_every_schedule(schedule: Schedule):
    for steps in (1, 2, 10, 50):
        found = Leading()(schedule, steps)
        assert found.shape == (steps + 1,) and found[-1] == math.inf and (found.diff() > 0).all()
        short = ToFirstEntry(Leading())(schedule, steps)
        assert torch.equal(short[:-1], found[:-1]) and torch.isfinite(short).all() and (short.diff() > 0).all()


def test_leading_beyond_the_table_and_steps_without_a_way_are_refused():
    with pytest.raises(ValueError, match=r"steps = 1000: entries 1, 2, ... reach beyond the T = 1000"):
        Leading()(LinearBeta(), 1000)
    with pytest.raises(ValueError, match=r"steps = 1000: the last of them stands where ToFirstEntry lets it end"):
        ToFirstEntry()(LinearBeta(), 1000)


def test_quadratic_time():
    found = QuadraticTime()(Cosine(), 4)[:-1]
    assert torch.equal(found, Cosine()(torch.tensor([1.0, 9 / 16, 4 / 16, 1 / 16])))


def test_quadratic_time_on_a_table_never_repeats_an_entry():
    """(i/50)^2 1000 rounds to 0, 2, 4, 6, ...: the first entries are pushed apart."""
    assert torch.equal(QuadraticTime()(LinearBeta(), 50)[:-1].flip(0)[:5], ENTRIES[torch.tensor([1, 2, 4, 6, 10]) - 1])
    assert torch.equal(QuadraticTime()(LinearBeta(), 1000)[:-1].flip(0)[-1], ENTRIES[-1])
    assert len(QuadraticTime()(LinearBeta(), 700)) == 701


def test_sections_of_a_table():
    found = Sections((2, 0, 1))(LinearBeta(T=300), 3)[:-1]
    assert torch.equal(found, LinearBeta(T=300).table.float()[torch.tensor([300, 100, 50]) - 1])


def test_jumps_are_the_noisy_end_and_the_middles_of_equal_parts():
    schedule = LogNormal(s_max=80.0)
    noisy = -2 * math.log(80.0)
    for steps, middles in ((1, []), (2, [-0.5]), (4, [-4 + 7 / 6, -0.5, 3 - 7 / 6])):
        found = Jumps(-4.0, 3.0)(schedule, steps).tolist()
        assert found == pytest.approx([noisy, *middles, math.inf], abs=1e-4)
    with pytest.raises(ValueError, match=r"low = 1.0, high = 1.0: the noisier level first"):
        Jumps(1.0, 1.0)


def test_uniform_log_snr():
    found = UniformLogSNR()(Tabulated((8.0, 3.0, -6.0)), 8)[:-1]
    assert torch.allclose(found, torch.arange(-6.0, 9.0, 2.0))


def test_karras_steps_are_those_of_edm():
    assert torch.allclose(KarrasSteps()(LogNormal(), 18), LogNormal().grid(18), atol=1e-5)
    inside = torch.exp(-KarrasSteps(s_min=0.01, s_max=5.0, rho=3.0)(Cosine(), 3)[:-1] / 2)
    middle = ((0.01 ** (1 / 3) + 5 ** (1 / 3)) / 2) ** 3
    assert torch.allclose(inside, torch.tensor([5.0, middle, 0.01]), rtol=1e-4)


@pytest.mark.parametrize("steps", [0, -3])
@pytest.mark.parametrize("grid", GRIDS)
def test_no_steps_are_refused(grid: Grid, steps: int):
    with pytest.raises(ValueError, match=f"steps = {steps}"):
        grid(Cosine(), steps)


@pytest.mark.parametrize(
    "schedule, grid, steps, words",
    [
        (LinearBeta(), UniformTime(), 1001, "steps = 1001.*T = 1000"),
        (LinearBeta(T=20), QuadraticTime(), 21, "steps = 21.*T = 20"),
        (LinearBeta(T=50), Sections((60,)), 60, "steps = 60.*T = 50"),
        (LinearBeta(), Sections(), 30, "steps = 30.*27"),
        (LinearBeta(), FixedLevels((-1.0, 1.0)), 3, "steps = 3.*ask for 2"),
        (LinearBeta(), FixedLevels((-11.0, 1.0)), 2, "-11.*LinearBeta.*-10.1"),
        (LinearBeta(), FixedLevels((-1.0, 12.0)), 2, "12.*9.2"),
        (LinearBeta(), FixedLevels((1.0, -1.0)), 2, "rise at every step, found 1, -1 at step 0"),
        (Cosine(), UniformTime(), 5000, "steps = 5000.*-15, -15.*fewer steps"),
        (Cosine(), KarrasSteps(s_max=1e4), 5, "KarrasSteps.*Cosine.*-15"),
        (Cosine(), KarrasSteps(s_min=1e-5), 5, "KarrasSteps.*Cosine.*15"),
        (Cosine(), KarrasSteps(s_min=2.0, s_max=1.0), 5, "s_min = 2.0"),
    ],
)
def test_what_cannot_go_together_is_refused(schedule: Schedule, grid: Grid, steps: int, words: str):
    with pytest.raises(ValueError, match=words):
        grid(schedule, steps)


@pytest.mark.parametrize("counts", [(), (3, 0), (-1, 3)])
def test_impossible_sections_are_refused(counts: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"counts(\[0\])? = "):
        Sections(counts)


def test_sampling_walks_the_grid_that_was_asked_for():
    process = Diffusion(Recorded(), DiffusionConfig(Cosine()))
    how = Sampling(5, DDIM(), Unguided(), grid=KarrasSteps())
    walked = [s.log_snr for s in process.sample((1, 2), NOTHING, NOTHING, Noise.shared(0), how)]
    assert torch.equal(torch.stack(walked), KarrasSteps()(Cosine(), 5)[1:])
    assert Sampling.from_dict(how.to_dict()) == how


@pytest.mark.parametrize("schedule", [RectifiedFlow(), LogitNormal()], ids=lambda s: type(s).__name__)
def test_ddim_on_the_flow_grid_is_eulers_method_of_rectified_flow(schedule: Schedule):
    """In flow coordinates x' = (1 - t) x0 + t eps with velocity eps - x0 and even steps of t.

    The first level is the clip, t = 1/(1 + e^-7.5) instead of 1.
    """
    data, steps, x = GaussianData(), 10, draw(6, 2).double()
    *_, ours = DDIM()(data.denoise, x, schedule.grid(steps).double(), Noise.shared(0))
    times = torch.linspace(1, 0, steps + 1).double()
    times[0] = torch.sigmoid(torch.tensor(7.5).double())
    flow = x * (times[0] ** 2 + (1 - times[0]) ** 2).sqrt()
    for t, after in itertools.pairwise(times):
        level = 2 * torch.log((1 - t) / t)
        p = data.denoise(flow / (t**2 + (1 - t) ** 2).sqrt(), level)
        flow = flow + (after - t) * (p.eps - p.x0)
    assert torch.allclose(ours.x, flow, atol=1e-5)

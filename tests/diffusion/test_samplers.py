"""What every sampler has to do: the right distribution, every step told, nothing but its own sample, clear refusals."""

import math
from pathlib import Path

import pytest
import torch
from tests.fakes import GaussianData, MixtureData, draw, family, samplers

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers import (
    DDIM,
    DEIS,
    IPNDM,
    LMS,
    NAMES,
    AnalyticDPM,
    Ancestral,
    Consistency,
    DPMSolverPP2M,
    DPMSolverPP3M,
    Euler,
    Heun,
    Sampler,
    Step,
    UniPC,
    name_of,
    named,
)
from unclip.diffusion.schedules import Cosine, LinearBeta, LogNormal, Schedule

DATA, MIXTURE = GaussianData(mean=0.7, std=0.5), MixtureData()
LEVELS = torch.linspace(-20, 20, 161)
GAMMA = torch.sigmoid(-LEVELS) / DATA.spread(LEVELS).square()
"""E|eps|^2/d of the exact denoiser."""
EXACT = AnalyticDPM(tuple(LEVELS.tolist()), tuple(GAMMA.tolist()))
EVERY = [
    *(EXACT if isinstance(s, AnalyticDPM) else s for s in samplers()),
    Ancestral("beta_tilde"),
    Ancestral("learned"),
    DDIM(eta=1.0),
    DDIM(eta=0.5),
    DPMSolverPP2M(eta=1.0),
    DPMSolverPP3M(eta=1.0),
    DPMSolverPP3M(halved=True),
    UniPC(order=3),
    UniPC(solver="bh1"),
    Euler(s_churn=20.0),
    Heun(s_churn=20.0, s_tmax=3.0),
]
NAMED = [pytest.param(s, id=str(s) if s is not EXACT else "AnalyticDPM") for s in EVERY]


def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """Exact for DATA, with a variance between the two bounds."""
    p = DATA.denoise(x, log_snr)
    return Prediction(p.x0, p.eps, torch.full_like(x, 0.3))


def last(steps) -> Step:
    *_, end = steps
    return end


def of_both(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """The exact denoisers of the Gaussian and of the mixture, one a column: one walk for two."""
    p, q = DATA.denoise(x[:, 0], log_snr), MIXTURE.denoise(x[:, 1], log_snr)
    return Prediction(torch.stack([p.x0, q.x0], 1), torch.stack([p.eps, q.eps], 1), torch.full_like(x, 0.3))


@pytest.mark.parametrize("sampler", [s for s in NAMED if not isinstance(s.values[0], Consistency)])
def test_mean_and_spread_at_1000_steps(sampler: Sampler):
    """DDPM's own table, 16 000 draws. Tolerance 2.5 % of the spread: 1 % of the steps, 3 standard errors of 0.5 %.

    Of the mixture also the share below 0. Analytic-DPM's figures are those of the Gaussian.
    """
    start = Noise.shared("start").normal((16_000, 2))
    end = last(sampler(of_both, start, LinearBeta().grid(1000), Noise.shared("steps")))
    assert end.log_snr == math.inf
    moments = [(DATA.mean, DATA.std), (MIXTURE.mean, MIXTURE.std)][: 1 if sampler is EXACT else 2]
    for x, (mean, std) in zip(end.x.T, moments, strict=False):
        assert x.mean().item() == pytest.approx(mean, abs=0.025 * std)
        assert x.std().item() == pytest.approx(std, rel=0.025)
        if std == MIXTURE.std:
            below = MIXTURE.below(torch.zeros(1), torch.tensor(math.inf)).item()
            assert (x < 0).float().mean().item() == pytest.approx(below, abs=0.015)


@pytest.mark.parametrize("schedule, steps", [(Cosine(), 400), (LogNormal(), 500)], ids=["cosine", "karras"])
@pytest.mark.parametrize("sampler", [DDIM(), Ancestral("beta_tilde"), DPMSolverPP2M(1.0), UniPC()], ids=str)
def test_mean_and_spread_on_other_schedules(sampler: Sampler, schedule: Schedule, steps: int):
    start = Noise.shared("start").normal((16_000, 1))
    end = last(sampler(denoise, start, schedule.grid(steps), Noise.shared("steps")))
    assert end.x.mean().item() == pytest.approx(DATA.mean, abs=0.0125)
    assert end.x.std().item() == pytest.approx(DATA.std, rel=0.025)


@pytest.mark.parametrize("sampler", NAMED)
def test_every_step_is_told(sampler: Sampler):
    for steps in (1, 2, 6, 7):  # also fewer than a solver's order
        grid = Cosine().grid(steps)
        told = list(sampler(denoise, draw(2, 3), grid, Noise.shared(0)))
        assert torch.equal(torch.stack([s.log_snr for s in told]), grid[1:])
        assert all(torch.isfinite(s.x).all() and torch.isfinite(s.x0).all() for s in told)


@pytest.mark.parametrize("sampler", [s for s in NAMED if not isinstance(s.values[0], LMS | IPNDM)])
def test_the_last_step_ends_at_the_clean_estimate(sampler: Sampler):
    """Without noise. LMS and iPNDM go on to where eps was heading, as in diffusers."""
    end = last(sampler(denoise, draw(2, 3), Cosine().grid(6), Noise.shared(0)))
    assert torch.equal(end.x, end.x0)


@pytest.mark.parametrize("sampler", NAMED)
def test_a_sample_does_not_depend_on_its_neighbours(sampler: Sampler):
    def run(seeds: list[int]) -> torch.Tensor:
        noise = Noise.per_sample(seeds)
        return last(sampler(denoise, noise.normal((len(seeds), 4)), Cosine().grid(10), noise)).x

    assert torch.allclose(run([7, 8, 9])[1], run([8])[0], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("sampler", NAMED)
def test_the_state_keeps_its_dtype(sampler: Sampler, dtype: torch.dtype):
    """And in bfloat16 it ends near where float32 does."""
    x, grid = draw(3, 2), torch.cat([torch.linspace(-8, 8, 16), torch.tensor([math.inf])])
    found = list(sampler(denoise, x.to(dtype), grid, Noise.shared(0)))
    assert {s.x.dtype for s in found} == {s.x0.dtype for s in found} == {dtype}
    same = last(sampler(denoise, x, grid, Noise.shared(0))).x
    assert torch.allclose(found[-1].x.float(), same, atol=1e-5 if dtype == torch.float64 else 0.1)


@pytest.mark.parametrize("sampler", NAMED)
def test_finite_from_end_to_end_of_log_snr(sampler: Sampler):
    """float32, log-SNR -20 to 20, in few large steps and in many. Heun's step follows the slope at its far end, so that
    in sigma/alpha it overshoots by the ratio of the levels: finite, but far off where steps are huge."""
    for steps in (2, 5, 40):
        grid = torch.cat([torch.linspace(-20, 20, steps + 1), torch.tensor([math.inf])])
        x = torch.stack([s.x for s in sampler(denoise, draw(64), grid, Noise.shared(0))])
        assert torch.isfinite(x).all()
    assert (x[-1] - DATA.mean).abs().max() < 6 * DATA.std


@pytest.mark.parametrize(
    "grid, words",
    [
        ([1.0, -1.0], "1, -1.*must rise"),
        ([0.0, 1.0, 1.0], r"grid\[1:3\] = 1, 1"),
        ([-math.inf, 1.0], "-inf, 1"),
        ([0.0, math.nan], "0, nan"),
        ([0.0, math.inf, math.inf], "inf, inf"),
        ([1.0], "at least 2"),
        ([[0.0, 1.0]], "at least 2"),
    ],
)
@pytest.mark.parametrize("sampler", NAMED[:2])
def test_grids_that_do_not_rise_are_refused_before_the_first_step(sampler: Sampler, grid: list, words: str):
    with pytest.raises(ValueError, match=words):
        sampler(denoise, draw(2, 3), torch.tensor(grid), Noise.shared(0))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: DDIM(eta=-0.1), "eta = -0.1"),
        (lambda: DDIM(eta=1.1), "eta = 1.1"),
        (lambda: DPMSolverPP2M(eta=2.0), "eta = 2.0"),
        (lambda: DPMSolverPP3M(eta=math.nan), "eta = nan"),
        (lambda: Sampler.from_dict({"kind": "Ancestral", "variance": "large"}), "variance = 'large'.*learned"),
        (lambda: UniPC(order=4), "order = 4.*1 to 3"),
        (lambda: Sampler.from_dict({"kind": "UniPC", "solver": "bh3"}), "solver = 'bh3'.*bh1, bh2"),
        (lambda: LMS(order=0), "order = 0.*1 to 4"),
        (lambda: IPNDM(order=5), "order = 5.*1 to 4"),
        (lambda: DEIS(order=4), "order = 4.*1 to 3"),
        (lambda: Heun(s_churn=-1.0), "s_churn = -1.0"),
        (lambda: Euler(s_noise=-1.0), "s_noise = -1.0"),
        (lambda: Euler(s_tmin=2.0, s_tmax=1.0), "s_tmin = 2.0, s_tmax = 1.0"),
    ],
)
def test_impossible_settings_are_refused(make, words: str):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str):
    assert name_of(named(name)) == name
    assert Sampler.from_dict(named(name).to_dict()) == named(name)


def test_former_and_unknown_names():
    assert name_of(DDIM(eta=0.25)) is None
    with pytest.raises(ValueError, match=r"sampler = 'dpm'.*dpmpp-2m"):
        named("dpm")


def test_the_documentation_names_every_sampler():
    page = (Path(__file__).parents[2] / "docs" / "samplers.md").read_text(encoding="utf-8")
    for word in (*NAMES, *(member.__name__ for member in family(Sampler))):
        assert f"`{word}" in page, word


def test_first_order_of_all_solvers_is_ddim():
    """At order 1 they are one method."""
    x, grid = draw(5, 3).double(), Cosine().grid(20).double()
    ddim = last(DDIM()(denoise, x, grid, Noise.shared(0))).x
    for sampler in (Euler(), LMS(1), DEIS(1), IPNDM(1)):
        assert torch.allclose(last(sampler(denoise, x, grid, Noise.shared(0))).x, ddim, atol=1e-12), sampler


def test_the_network_is_asked_as_often_as_the_documentation_says():
    asked = []

    def counted(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        asked.append(log_snr)
        return denoise(x, log_snr)

    for sampler in EVERY:
        asked.clear()
        last(sampler(counted, draw(2, 3), Cosine().grid(10), Noise.shared(0)))
        assert len(asked) == (19 if isinstance(sampler, Heun) else 10), sampler


def test_the_pair_of_a_prediction_belongs_together():
    """What all of the above rests on: x = alpha x0 + sigma eps of the mixture's denoiser, too."""
    x, level = torch.linspace(-3, 3, 7), torch.tensor(0.5)
    p = MIXTURE.denoise(x, level)
    assert torch.allclose(alpha(level) * p.x0 + sigma(level) * p.eps, x, atol=1e-6)

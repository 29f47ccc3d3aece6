"""The bound on data whose entropy is known; its parts; its estimate from a few steps."""

import math

import pytest
import torch
from tests.fakes import GaussianData, draw

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.forward import terminal_kl
from unclip.diffusion.grids import UniformLogSNR, ends
from unclip.diffusion.level import like
from unclip.diffusion.likelihood import (
    Bound,
    BoundSettings,
    Estimate,
    GaussianDensity,
    continuous_bound,
    rate_distortion,
    summarise,
    variational_bound,
)
from unclip.diffusion.likelihood.terms import Variance
from unclip.diffusion.schedules import Cosine, LinearBeta, Schedule

DATA = GaussianData(mean=0.2, std=0.5)
ENTROPY = math.log2(0.5 * math.sqrt(2 * math.pi * math.e))
DENSITY = BoundSettings(decoder=GaussianDensity())
FINE = Cosine(limit=20.0)


def exact(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """The posterior mean, at levels of any shape."""
    return DATA.denoise(x, like(log_snr, x))


def gaussian(n: int, dims: int = 8) -> torch.Tensor:
    return DATA.mean + DATA.std * draw(n, dims, key="data")


def pictures(n: int) -> torch.Tensor:
    """8-bit Gaussian numbers."""
    return (gaussian(n).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1


def excess(found: Bound, x0: torch.Tensor) -> torch.Tensor:
    """How far the bound lies above the truth of each sample, bits a dimension."""
    truth = -torch.distributions.Normal(DATA.mean, DATA.std).log_prob(x0).mean(1) / math.log(2)
    return found.total - truth


def expected(T: int, variance: Variance) -> Bound:
    """The bound without sampling: data of the right energy, and an estimate that is off by the expected error."""
    x0 = torch.full((1, 1), math.hypot(DATA.mean, DATA.std))

    def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        error = torch.rsqrt(1 / DATA.std**2 + torch.exp(log_snr.double()))  # of a Gaussian posterior
        return Prediction.from_x0((x0 - error).float(), x, log_snr)

    grid = UniformLogSNR()(FINE, T)
    return variational_bound(denoise, grid, x0, Noise.shared(0), BoundSettings(variance, GaussianDensity()))


def test_the_bound_falls_to_the_entropy_as_steps_grow():
    """From above, of first order in 1/T (DDPM's Eq. 5 against the truth); here exact, not sampled."""
    gaps = [expected(T, "beta").total.item() - ENTROPY for T in (50, 100, 200, 800)]
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] > 0, gaps
    assert gaps[0] < 0.1
    assert gaps[3] < 0.01
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.1)


def test_beta_and_beta_tilde_meet_in_the_limit():
    gaps = [(expected(T, "beta_tilde").steps - expected(T, "beta").steps).item() for T in (100, 400)]
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.25)


def test_sampled_and_expected_bound_agree():
    x0 = gaussian(4000)
    found = variational_bound(exact, UniformLogSNR()(FINE, 50), x0, Noise.shared(0), DENSITY)
    above = Estimate.of(excess(found, x0))
    assert above.mean == pytest.approx(expected(50, "beta").total.item() - ENTROPY, abs=4 * above.error)
    assert above.mean > 4 * above.error


def test_continuous_time_is_the_entropy_itself():
    """With the exact denoiser the path's bound is tight: nothing is lost but what the sampling of levels adds."""
    x0 = gaussian(4000)
    found = summarise([continuous_bound(exact, ends(FINE), x0, Noise.shared(0), 64, GaussianDensity())])
    truth = -torch.distributions.Normal(DATA.mean, DATA.std).log_prob(x0).mean().item() / math.log(2)
    assert found.total.mean == pytest.approx(truth, abs=4 * found.total.error + 1e-3)
    assert found.total.mean == pytest.approx(ENTROPY, abs=0.03)


def test_8_bit_data_has_the_discrete_entropy():
    """Quantised to bins of 2/255, a density of entropy h has h + log2(127.5) bits (narrow bins)."""
    narrow = GaussianData(0.0, 0.2)
    x0 = ((narrow.std * draw(2000, 8, key="8 bit")).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1

    def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        return narrow.denoise(x, like(log_snr, x))

    grid, how = LinearBeta().grid(1000), BoundSettings(at=50)
    found = summarise([variational_bound(denoise, grid, x0, Noise.shared(0), how)])
    truth = math.log2(narrow.std * math.sqrt(2 * math.pi * math.e)) + math.log2(127.5)
    assert truth - 4 * found.total.error < found.total.mean < truth + 0.1
    assert found.total.mean == pytest.approx(found.terminal.mean + found.steps.mean + found.decoder.mean, abs=1e-5)


@pytest.mark.parametrize("at", [1, 7])
def test_a_few_steps_a_picture_give_the_same_mean(at: int):
    x0, grid = gaussian(4000, 2), LinearBeta(1e-3, 0.2, T=50).grid(50)
    whole = summarise([variational_bound(exact, grid, x0, Noise.shared(0), DENSITY)])
    few = variational_bound(exact, grid, x0, Noise.shared(1), BoundSettings(decoder=GaussianDensity(), at=at))
    assert few.kl.shape == (4000, at)
    assert set(few.index.flatten().tolist()) == set(range(49))
    estimate = summarise([few])
    assert estimate.steps.mean == pytest.approx(
        whole.steps.mean, abs=4 * math.hypot(estimate.steps.error, whole.steps.error)
    )
    assert estimate.steps.error > whole.steps.error  # it knows that it saw less
    assert few.weight.sum(1).mean().item() == pytest.approx(49, rel=0.02)


def test_parts_are_where_they_belong():
    x0, grid = pictures(3), LinearBeta().grid(20)
    found = variational_bound(exact, grid, x0, Noise.shared(0))
    assert torch.equal(found.terminal, terminal_kl(x0, grid[0]))
    assert torch.equal(found.steps, found.kl.sum(1))
    assert torch.equal(found.index, torch.arange(19).expand(3, 19))
    assert (found.kl > 0).all()


def test_one_step_is_a_decoder_alone():
    x0, grid = pictures(3), torch.tensor([1.0, math.inf])
    found = variational_bound(exact, grid, x0, Noise.shared(0), BoundSettings("beta_tilde"))
    assert torch.equal(found.steps, torch.zeros(3))
    assert torch.isfinite(found.total).all()


@pytest.mark.parametrize("at", [0, 3])
def test_a_picture_does_not_depend_on_its_neighbours(at: int):
    x0, how = pictures(3), BoundSettings(at=at)
    grid = LinearBeta().grid(10)
    together = variational_bound(exact, grid, x0, Noise.per_sample([4, 5, 6]), how)
    alone = variational_bound(exact, grid, x0[1:2], Noise.per_sample([5]), how)
    assert torch.allclose(together.total[1], alone.total[0], rtol=1e-5)


def test_a_worse_denoiser_costs_more_and_the_right_variance_less():
    def off(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        p = exact(x, log_snr)
        return Prediction.from_x0(p.x0 + 0.1, x, log_snr)

    def knowing(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        """iDDPM's v for the exact posterior variance of Gaussian data, sigma_s^2 c -> + (alpha_s c)^2 var(x0 | x)."""
        t = log_snr.double()
        s = GRID[torch.searchsorted(GRID, t.float()) + 1].clamp(max=40).double()
        c = -torch.expm1(t - s)
        left = 1 / (1 / DATA.std**2 + torch.exp(t))
        wanted = torch.log1p(torch.sigmoid(s) * c * left / torch.sigmoid(-s))
        spread = torch.nn.functional.logsigmoid(-t) - torch.nn.functional.logsigmoid(-s)
        p = exact(x, log_snr)
        return Prediction(p.x0, p.eps, (wanted / spread).float().expand_as(x))

    GRID, x0 = LinearBeta().grid(10), gaussian(2000)
    fixed, tilde, worse, learned = (
        variational_bound(f, GRID, x0, Noise.shared(0), BoundSettings(v, GaussianDensity())).steps.mean()
        for f, v in ((exact, "beta"), (exact, "beta_tilde"), (off, "beta"), (knowing, "learned"))
    )
    assert worse > fixed
    assert learned < min(fixed, tilde) - 0.01


def test_rate_and_distortion():
    x0, grid = pictures(500), LinearBeta().grid(50)
    whole = variational_bound(exact, grid, x0, Noise.shared(0))
    curve = rate_distortion([whole])
    assert curve.log_snr.tolist() == grid.tolist()
    assert (curve.rate.diff() > 0).all()
    assert curve.rate[0].item() == pytest.approx(whole.terminal.mean().item(), abs=1e-6)
    assert curve.rate[-1].item() == pytest.approx(whole.total.mean().item(), rel=1e-5)
    assert curve.distortion[-1] == 0
    wide = grid[:-1].double()
    truth = 127.5 / torch.sqrt(1 / DATA.std**2 + torch.exp(wide))  # of a Gaussian posterior
    assert torch.allclose(curve.distortion[:-1].double(), truth, rtol=0.08)


def test_rate_and_distortion_from_a_few_steps_a_picture():
    x0, grid = pictures(600), LinearBeta().grid(20)
    batches = [
        variational_bound(exact, grid, part, Noise.shared(i), BoundSettings(at=3)) for i, part in enumerate(x0.chunk(3))
    ]
    curve, whole = rate_distortion(batches), rate_distortion([variational_bound(exact, grid, x0, Noise.shared(9))])
    assert torch.allclose(curve.rate, whole.rate, rtol=0.1, atol=0.02)
    with pytest.raises(ValueError, match="16 of 19 steps were visited for no image"):
        rate_distortion([variational_bound(exact, grid, x0[:1], Noise.shared(0), BoundSettings(at=3))])
    with pytest.raises(ValueError, match="different levels"):
        rate_distortion([batches[0], variational_bound(exact, LinearBeta().grid(5), x0, Noise.shared(0))])


@pytest.mark.parametrize("schedule", [LinearBeta(), Cosine()], ids=lambda s: type(s).__name__)
def test_the_discrete_sum_nears_the_integral(schedule: Schedule):
    x0, far = gaussian(1000), ends(schedule)
    fine = variational_bound(exact, schedule.grid(500), x0, Noise.shared(0), DENSITY).steps.mean()
    clean = schedule.grid(500)[-2].item()
    integral = continuous_bound(exact, (far[0], clean), x0, Noise.shared(1), 64, GaussianDensity()).steps.mean()
    assert fine.item() == pytest.approx(integral.item(), rel=0.03)


def test_an_estimate_by_hand():
    found = Estimate.of(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert (found.mean, found.n) == (3.0, 4)
    assert found.error == pytest.approx(math.sqrt(14 / 3) / 2)
    assert math.isnan(Estimate.of(torch.ones(1)).error)


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: BoundSettings(at=-1), "at = -1"),
        (lambda: variational_bound(exact, torch.tensor([1.0, 2.0]), pictures(1), Noise.shared(0)), "must rise to .inf"),
        (
            lambda: variational_bound(exact, torch.tensor([2.0, 1.0, math.inf]), pictures(1), Noise.shared(0)),
            "must rise",
        ),
        (lambda: variational_bound(exact, Cosine().grid(3), gaussian(1), Noise.shared(0)), "not one of 256 values"),
        (
            lambda: variational_bound(exact, Cosine().grid(3), pictures(1), Noise.shared(0), BoundSettings("learned")),
            "variance = learned",
        ),
        (lambda: continuous_bound(exact, (3.0, -3.0), pictures(1), Noise.shared(0)), "ends = .3.0, -3.0.*must rise"),
        (lambda: continuous_bound(exact, (-3.0, 3.0), pictures(1), Noise.shared(0), n=0), "n = 0"),
    ],
)
def test_what_cannot_be_is_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()

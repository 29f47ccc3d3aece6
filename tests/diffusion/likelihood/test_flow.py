"""The probability-flow ODE's likelihood on Gaussian data, whose entropy is known; its solvers and traces."""

import itertools
import math

import pytest
import torch
from scipy.integrate import solve_ivp
from tests.fakes import GaussianData, awake, built, draw, family

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, like
from unclip.diffusion.likelihood import (
    RK4,
    RK45,
    BoundSettings,
    Estimate,
    ExactTrace,
    FlowSettings,
    GaussianDensity,
    GaussianProbes,
    HeunSolver,
    Rademacher,
    Solver,
    Trace,
    flow_bits,
    flow_likelihood,
    quantisation_bits,
    variational_bound,
)
from unclip.diffusion.likelihood.trace import trace
from unclip.diffusion.schedules import Cosine

ENDS = (-15.0, 15.0)
TURN = torch.linalg.qr(draw(3, 3, key="turn").double())[0]
SPREAD = torch.tensor([0.2, 0.5, 1.1], dtype=torch.float64)
MEAN = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
COVARIANCE = TURN @ torch.diag(SPREAD**2) @ TURN.T
TRUTH = torch.distributions.MultivariateNormal(MEAN, COVARIANCE)
ENTROPY = TRUTH.entropy().item() / 3 / math.log(2)


def exact(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """E[x0 | x] of data N(MEAN, COVARIANCE), whose Jacobian is not diagonal."""
    wide = log_snr.double()
    a, v = alpha(wide), torch.sigmoid(-wide)
    gain = a * TURN @ torch.diag(SPREAD**2 / (a**2 * SPREAD**2 + v)) @ TURN.T
    x0 = MEAN.to(x) + (x - a.to(x) * MEAN.to(x)) @ gain.to(x)
    return Prediction.from_x0(x0, x, log_snr)


def data(n: int) -> torch.Tensor:
    return MEAN + draw(n, 3, key="data").double() * SPREAD @ TURN.T


def truth(x0: torch.Tensor) -> torch.Tensor:
    return -TRUTH.log_prob(x0) / 3 / math.log(2)


@pytest.mark.parametrize("solver", [HeunSolver(400), RK4(60), RK45(1e-5, 1e-5)], ids=lambda s: type(s).__name__)
def test_each_point_has_its_density(solver: Solver):
    x0 = data(64)
    found = flow_bits(exact, ENDS, x0, Noise.shared(0), FlowSettings(solver, ExactTrace()))
    assert torch.allclose(found.bits, truth(x0), atol=1e-3)
    assert torch.equal(found.bits, found.latent + found.volume)


@pytest.mark.parametrize("probes", [Rademacher(), GaussianProbes(4)], ids=lambda p: type(p).__name__)
def test_the_mean_is_the_entropy(probes: Trace):
    """With Hutchinson's trace: within its standard error of the truth on these data; float32."""
    x0 = data(4000)
    found = flow_bits(exact, ENDS, x0.float(), Noise.shared(0), FlowSettings(RK4(40), probes))
    off = found.bits - truth(x0)
    error = (off.std() / math.sqrt(4000)).item()
    assert off.mean().item() == pytest.approx(0, abs=4 * error + 1e-3)
    assert found.bits.dtype == torch.float32


def test_the_mean_is_the_entropy_to_a_thousandth():
    """Points that are the quantiles of the Gaussian, so that their mean is the entropy, not a draw of it."""
    one = GaussianData(0.7, 0.5)
    x0 = one.mean + one.std * torch.special.ndtri((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    found = flow_bits(one.denoise, ENDS, x0[:, None].float(), Noise.shared(0))  # the default settings, float32
    assert found.bits.mean().item() == pytest.approx(math.log2(0.5 * math.sqrt(2 * math.pi * math.e)), abs=1e-3)


def test_the_bound_lies_above():
    """On the same points, sample by sample in the mean; coarse steps, so that the gap stands out of its noise."""
    x0 = data(3000).float()
    flow = flow_bits(exact, ENDS, x0, Noise.shared(0), FlowSettings(RK4(40), ExactTrace())).bits
    grid, how = Cosine(limit=15.0).grid(10), BoundSettings(decoder=GaussianDensity())
    above = Estimate.of(variational_bound(exact, grid, x0, Noise.shared(0), how).total - flow)
    assert 3 * above.error < above.mean < 0.3


def test_the_latent_is_the_flows_end():
    one, x0 = GaussianData(0.7, 0.5), draw(5, 1).double()
    found = flow_bits(one.denoise, ENDS, x0, Noise.shared(0), FlowSettings(RK45(1e-8, 1e-8)))
    clean, noisy = (torch.tensor(l, dtype=torch.float64) for l in reversed(ENDS))
    assert torch.allclose(found.x, one.flow(alpha(clean) * x0, clean, noisy), atol=1e-5)


def test_8_bit_pictures_have_the_discrete_entropy():
    one = GaussianData(0.0, 0.25)
    x0 = ((draw(3000, 4, key="8 bit") * 0.25).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1
    found = flow_likelihood(one.denoise, ENDS, x0, Noise.shared(0), FlowSettings(RK4(40)))
    expected = math.log2(0.25 * math.sqrt(2 * math.pi * math.e)) + quantisation_bits()
    assert found.bits.mean().item() == pytest.approx(expected, abs=0.04)  # 4 standard errors
    assert quantisation_bits(256) == pytest.approx(math.log2(127.5))


def test_a_networks_density_integrates_to_one():
    """Not only Gaussians: any smooth denoiser makes a flow, and its density on the line has mass 1."""
    net = awake(built(lambda: torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))))

    def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        level = like(log_snr, x).expand_as(x) / 10
        x0 = alpha(log_snr) * x + torch.sigmoid(-log_snr) * net.double()(torch.cat([x, level], dim=1))
        return Prediction.from_x0(x0, x, log_snr)

    line = torch.linspace(-9, 9, 1801, dtype=torch.float64)[:, None]
    bits = flow_bits(denoise, (-12.0, 12.0), line, Noise.shared(0), FlowSettings(RK45(1e-6, 1e-6), ExactTrace())).bits
    mass = torch.trapezoid(torch.exp2(-bits), line[:, 0]).item()
    assert mass == pytest.approx(1.0, abs=2e-3)
    assert bits.std() > 0.1


def swing(y, l: float):
    """y' = (cos(l) y_0, -y_1^2): nonlinear, depends on l, two parts."""
    return (math.cos(l) * y[0], -(y[1] ** 2))


START = (torch.tensor([[1.0, -0.5]]).double(), torch.tensor([0.8]).double())
END = (START[0] * math.exp(math.sin(4)), START[1] / (1 + 4 * START[1]))


@pytest.mark.parametrize("solver, order", [(HeunSolver, 2), (RK4, 4)])
def test_order_of_the_solvers(solver, order: int):
    errors = [(solver(n)(swing, START, 0.0, 4.0).y[0] - END[0]).abs().max().item() for n in (40, 80, 160)]
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert slopes == pytest.approx([order, order], abs=0.25)


@pytest.mark.parametrize("solver", [m() for m in family(Solver)], ids=lambda s: type(s).__name__)
def test_both_ways_and_back(solver: Solver):
    there = solver(swing, START, 0.0, 4.0)
    assert torch.allclose(there.y[0], END[0], atol=1e-3)
    assert torch.allclose(there.y[1], END[1], atol=1e-3)
    back = solver(swing, there.y, 4.0, 0.0)
    assert torch.allclose(back.y[1], START[1], atol=1e-2)
    assert there.evaluations > 0


def test_adaptive_steps_keep_their_tolerance_like_scipys():
    tight, loose = (RK45(rtol, rtol)(swing, START, 0.0, 4.0) for rtol in (1e-9, 1e-3))
    assert (tight.y[0] - END[0]).abs().max() < 1e-7
    assert loose.evaluations < tight.evaluations / 2
    theirs = solve_ivp(lambda l, y: math.cos(l) * y, (0, 4), START[0][0].numpy(), rtol=1e-6, atol=1e-6)
    ours = RK45(1e-6, 1e-6)(lambda y, l: (math.cos(l) * y[0],), START[:1], 0.0, 4.0)
    assert 0.5 < ours.evaluations / theirs.nfev < 2


def test_a_field_that_cannot_be_followed_is_said_to_be_so():
    with pytest.raises(ValueError, match="not reached in 50 steps.*loosen them"):
        RK45(1e-8, 1e-8, maximum=50)(lambda y, l: (y[0] * math.sin(1e4 * l),), START[:1], 0.0, 4.0)
    with pytest.raises(ValueError, match="not reached"):
        RK45(maximum=20)(lambda y, l: (y[0] * math.nan,), START[:1], 0.0, 4.0)


@pytest.mark.parametrize("member", family(Trace), ids=lambda m: m.__name__)
def test_traces_are_right_in_the_mean(member: type[Trace]):
    matrix = draw(4, 4, key="matrix")
    x = draw(20_000, 4).requires_grad_()
    found = trace(torch.sin(x) @ matrix, x, member().draw(x, Noise.shared(0)))
    expected = (torch.cos(x) * matrix.diagonal()).sum(1)
    off = (found - expected).detach()
    assert off.mean().item() == pytest.approx(0, abs=4 * off.std().item() / math.sqrt(20_000) + 1e-5)
    if member is ExactTrace:
        assert off.abs().max() < 1e-5


def test_probes_average_out():
    x = draw(4000, 4)
    value = lambda x: x @ draw(4, 4, key="matrix")  # noqa: E731

    def spread(how: Trace) -> float:
        leaf = x.clone().requires_grad_()
        return trace(value(leaf), leaf, how.draw(x, Noise.shared(1))).std().item()

    assert spread(Rademacher(16)) == pytest.approx(spread(Rademacher(1)) / 4, rel=0.2)
    assert spread(Rademacher(1)) < 1.02 * spread(GaussianProbes(1))  # never above; 4,000 draws know them to 1 %


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: Rademacher(0), "probes = 0"),
        (lambda: GaussianProbes(-1), "probes = -1"),
        (lambda: RK45(atol=0.0), "atol = 0.0"),
        (lambda: RK4(0)(swing, START, 0.0, 1.0), "steps = 0"),
        (lambda: flow_bits(exact, (2.0, 1.0), data(1), Noise.shared(0)), "ends = .2.0, 1.0"),
    ],
)
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()

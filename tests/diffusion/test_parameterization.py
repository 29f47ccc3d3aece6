"""Whatever the network predicts, it is the same x0."""

import pytest
import torch
from tests.fakes import NOTHING, Function, Recorded, draw, family

from unclip.core.condition import Condition
from unclip.diffusion.denoiser import Denoiser, Prediction, within
from unclip.diffusion.level import alpha, like, noised, sigma
from unclip.diffusion.parameterization import EDM, X0, Eps, Flow, Parameterization, V

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(Parameterization)]
LEVELS = torch.linspace(-8, 8, 17)
X0S, EPS = draw(17, 3, 4), draw(17, 3, 4, key="eps")
X = noised(X0S, LEVELS, EPS)


def target(p: Parameterization) -> torch.Tensor:
    c_skip, c_out = p.scalings(LEVELS)
    return (X0S - like(c_skip, X) * X) / like(c_out, X)


@pytest.mark.parametrize("p", MEMBERS)
def test_the_target_leads_back_to_x0_and_eps(p: Parameterization):
    found = Denoiser(Function(lambda x, log_snr, cond: target(p)), p)(X, LEVELS, NOTHING)
    assert torch.allclose(found.x0, X0S, atol=1e-3)
    assert torch.allclose(alpha(like(LEVELS, X)) * found.x0 + sigma(like(LEVELS, X)) * found.eps, X, atol=1e-5)
    noisy = LEVELS < 6  # eps is what is left when x0 is known: sharp only where there is noise
    assert torch.allclose(found.eps[noisy], EPS[noisy], atol=1e-3)


@pytest.mark.parametrize(
    "p, expected",
    [
        (X0(), X0S),
        (Eps(), EPS),
        (V(), alpha(like(LEVELS, X)) * EPS - sigma(like(LEVELS, X)) * X0S),
        (Flow(), EPS - X0S),
    ],
    ids=["X0", "Eps", "V", "Flow"],
)
def test_targets_are_what_their_names_say(p: Parameterization, expected: torch.Tensor):
    wide = LEVELS.abs() < 6
    assert torch.allclose(target(p)[wide], expected[wide], atol=1e-4)


def converted(known: Parameterization, wanted: Parameterization, network: Recorded) -> Function:
    """A network with known weights for one parameterisation as a network for another: what a checkpoint's owner does.

    It sees its own input, so the state is first taken back to x and given the known network's scale.
    """

    def f(given: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        level = like(log_snr, given)
        x = given / wanted.input_scale(level)
        c_skip, c_out = known.scalings(level)
        x0 = c_skip * x + c_out * network(x * known.input_scale(level), log_snr, cond)
        c_skip, c_out = wanted.scalings(level)
        return (x0 - c_skip * x) / c_out

    return Function(f)


@pytest.mark.parametrize("wanted", MEMBERS)
@pytest.mark.parametrize("known", MEMBERS)
def test_known_weights_give_the_same_x0_as_any_other_network(known: Parameterization, wanted: Parameterization):
    network, wide = Recorded(), LEVELS.abs() < 6  # float32: eps is sharp to 1e-7 / sigma
    one = Denoiser(network, known)(X, LEVELS, NOTHING)
    other = Denoiser(converted(known, wanted, network), wanted)(X, LEVELS, NOTHING)
    assert torch.allclose(one.x0[wide], other.x0[wide], atol=1e-4)
    assert torch.allclose(one.eps[wide], other.eps[wide], atol=1e-3)


def test_a_flow_matching_network_works_as_it_is():
    """x' = (1 - t) x0 + t eps and x0 = x' - t u (Liu et al. 2022), t from the level; its state is what it sees."""
    t = torch.linspace(0.02, 0.98, 17)
    levels = 2 * torch.log((1 - t) / t)
    state = like(1 - t, X0S) * X0S + like(t, X0S) * EPS
    x = noised(X0S, levels, EPS)
    network = Recorded()
    found = Denoiser(network, Flow())(x, levels, NOTHING)
    seen, _, _ = network.calls[0]
    assert torch.allclose(seen, state, atol=1e-5)
    velocity = Recorded()(seen, levels, NOTHING)
    assert torch.allclose(found.x0, state - like(t, state) * velocity, atol=1e-5)
    assert torch.allclose(found.eps, state + like(1 - t, state) * velocity, atol=2e-4)


@pytest.mark.parametrize("p", MEMBERS)
def test_one_level_for_all_means_the_same_as_one_each(p: Parameterization):
    denoiser = Denoiser(Recorded(), p)
    one, each = (denoiser(X, level, NOTHING) for level in (torch.tensor(1.5), torch.full((17,), 1.5)))
    assert torch.equal(one.x0, each.x0)
    assert torch.equal(one.eps, each.eps)


@pytest.mark.parametrize("s", [0.5, 1.3])
def test_edm_equals_table_1_after_rescaling(s: float):
    """Karras et al. 2022, table 1, in x_ve = x / alpha, sigma_ve = sigma / alpha."""
    l = LEVELS.double()
    a, ve = alpha(l), torch.exp(-l / 2)
    c_skip, c_out = EDM(s).scalings(l)
    assert torch.allclose(EDM(s).input_scale(l) * a, 1 / (ve**2 + s**2).sqrt())
    assert torch.allclose(c_skip * a, s**2 / (ve**2 + s**2))
    assert torch.allclose(c_out, ve * s / (ve**2 + s**2).sqrt())


@pytest.mark.parametrize("s", [0.5, 1.3])
def test_edm_input_and_target_have_unit_variance(s: float):
    l = torch.linspace(-20, 20, 41, dtype=torch.float64)
    a, b = alpha(l), sigma(l)
    c_skip, c_out = EDM(s).scalings(l)
    of_data, of_noise = (1 - c_skip * a) / c_out, c_skip * b / c_out
    assert torch.allclose((of_data * s) ** 2 + of_noise**2, torch.ones_like(l), atol=1e-6)
    assert torch.allclose(EDM(s).input_scale(l) ** 2 * ((a * s) ** 2 + b**2), torch.ones_like(l))


def test_the_limit_clamps_x0_and_keeps_the_pair_consistent():
    big = Denoiser(Function(lambda x, log_snr, cond: 9 * torch.ones_like(x)), X0())
    found = within(lambda x, log_snr: big(x, log_snr, NOTHING), 1.0)(X, LEVELS)
    assert found.x0.max() == 1.0
    assert torch.allclose(alpha(like(LEVELS, X)) * found.x0 + sigma(like(LEVELS, X)) * found.eps, X, atol=1e-5)


def test_a_prediction_holds_both_halves():
    noisy = LEVELS < 6
    assert torch.allclose(Prediction.from_x0(X0S, X, LEVELS).eps[noisy], EPS[noisy], atol=1e-4)

"""Weights by hand, and the loss against the papers' own lines."""

import pytest
import torch
from tests.fakes import NOTHING, Recorded, draw, family

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.level import noised
from unclip.diffusion.parameterization import EDM, X0, Eps, Parameterization, V
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import Cosine, LinearBeta, LogNormal
from unclip.diffusion.weighting import EDMWeight, MinSNR, PlainX0, Simple, Weighting

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(Parameterization)]


@pytest.mark.parametrize(
    "weighting, snr, on_x0",
    [
        (Simple(), 4.0, 4.0),  # |eps|^2 = SNR |x0|^2
        (PlainX0(), 4.0, 1.0),
        (PlainX0(), 0.01, 1.0),
        (MinSNR(), 4.0, 4.0),
        (MinSNR(), 100.0, 5.0),
        (MinSNR(gamma=2.0), 4.0, 2.0),
        (EDMWeight(0.5), 1.0, 5.0),  # sigma = 1: (1 + 1/4) / (1/4)
        (EDMWeight(0.5), 4.0, 8.0),  # sigma = 1/2: (1/4 + 1/4) / (1/16)
    ],
)
def test_weights_on_x0_by_hand(weighting: Weighting, snr: float, on_x0: float):
    weight = weighting(torch.tensor([snr]).log()) * snr
    assert weight.item() == pytest.approx(on_x0, rel=1e-5)


@pytest.mark.parametrize("member", family(Weighting), ids=lambda m: m.__name__)
def test_weights_are_positive_and_finite(member: type[Weighting]):
    weights = member()(torch.linspace(-20, 20, 41))
    assert torch.isfinite(weights).all()
    assert (weights > 0).all()


def drawn(config: DiffusionConfig, x0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The levels and the noise that the loss draws from key 5."""
    noise = Noise.shared(5)
    return config.schedule.draw(len(x0), noise), noise.normal(x0.shape)


def test_l_simple_by_hand():
    config, x0 = DiffusionConfig(LinearBeta(), Eps(), Simple()), draw(6, 3, 4, 4)
    levels, eps = drawn(config, x0)
    error = eps - Recorded()(noised(x0, levels, eps), levels, NOTHING)
    loss = Diffusion(Recorded(), config).loss(x0, NOTHING, Noise.shared(5))
    assert loss.shape == (6,)
    assert torch.allclose(loss, error.square().mean((1, 2, 3)), rtol=2e-3)


def test_plain_squared_error_of_x0_by_hand():
    """The prior's loss, unCLIP Eq. 2."""
    config, z = DiffusionConfig(Cosine(), X0(), PlainX0()), draw(6, 8)
    levels, eps = drawn(config, z)
    error = z - Recorded()(noised(z, levels, eps), levels, NOTHING)
    loss = Diffusion(Recorded(), config).loss(z, NOTHING, Noise.shared(5))
    assert torch.allclose(loss, error.square().mean(1), rtol=1e-4)


def test_edm_weight_is_one_on_edms_own_network():
    config, x0 = DiffusionConfig(LogNormal(), EDM(0.5), EDMWeight(0.5)), draw(6, 8) / 2
    levels, eps = drawn(config, x0)
    x = noised(x0, levels, eps)
    c_skip, c_out = EDM(0.5).scalings(levels)
    error = (x0 - c_skip[:, None] * x) / c_out[:, None] - Recorded()(
        x * EDM(0.5).input_scale(levels)[:, None], levels, NOTHING
    )
    assert torch.allclose(
        Diffusion(Recorded(), config).loss(x0, NOTHING, Noise.shared(5)), error.square().mean(1), rtol=1e-4
    )


class Told(torch.nn.Module):
    """Says F for a fixed wrong x0, whatever the parameterisation."""

    def __init__(self, p: Parameterization, x0: torch.Tensor) -> None:
        super().__init__()
        self.p, self.x0 = p, x0

    def forward(self, x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        c_skip, c_out = (c[:, None] for c in self.p.scalings(log_snr))
        return (self.x0 - c_skip * (x / self.p.input_scale(log_snr)[:, None])) / c_out


@pytest.mark.parametrize("weighting", [Simple(), PlainX0(), MinSNR(), EDMWeight()], ids=lambda w: type(w).__name__)
def test_the_loss_depends_on_the_x0_found_not_on_what_the_network_predicts(weighting: Weighting):
    x0, wrong = draw(6, 8), draw(6, 8, key="wrong")

    def loss(p: Parameterization) -> torch.Tensor:
        return Diffusion(Told(p, wrong), DiffusionConfig(Cosine(), p, weighting)).loss(x0, NOTHING, Noise.shared(5))

    for p in (Eps(), V(), EDM()):
        assert torch.allclose(loss(p), loss(X0()), rtol=2e-3)


@pytest.mark.parametrize("p", MEMBERS)
def test_the_loss_is_finite_at_both_ends(p: Parameterization):
    class Ends(LinearBeta):
        def draw(self, n: int, noise: Noise) -> torch.Tensor:
            return torch.tensor([-20.0, 20.0])

    for weighting in (Simple(), MinSNR(), EDMWeight()):
        loss = Diffusion(Recorded(), DiffusionConfig(Ends(), p, weighting)).loss(draw(2, 8), NOTHING, Noise.shared(5))
        assert torch.isfinite(loss).all()


def test_the_condition_reaches_the_network():
    network, cond = Recorded(), Condition(vector=draw(2, 1))
    Diffusion(network, DiffusionConfig()).loss(draw(2, 3, 4, 4), cond, Noise.shared(0))
    assert network.calls[0][2] is cond

"""The flow: the way back is exact, the log-determinant is autograd's, the density integrates what it should."""

import math

import pytest
import torch

from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.models.classes import NO_CLASS
from unclip.models.families.flow import Flow, FlowConfig
from unclip.nn.flows.layers import ActNorm, Coupling, Invertible, Mix
from unclip.nn.flows.multiscale import MultiScaleConfig

SMALL = MultiScaleConfig(steps=(2, 2), widths=(8, 16), blocks=1)


def stirred(module: torch.nn.Module) -> torch.nn.Module:
    """With all weights off their first values, so that nothing is the identity."""
    noise = Noise.shared("weights")
    with torch.no_grad():
        for p in module.parameters():
            p += 0.1 * noise.normal(p.shape).to(p.dtype)
    return module


def flow(size: int = 8, channels: int = 3, classes: tuple[str, ...] = (), steps: tuple[int, ...] = (2, 2)) -> Flow:
    network = MultiScaleConfig(channels=channels, steps=steps, widths=(8, 16)[: len(steps)])
    with initial_weights(0, "flow"):
        made = Flow(FlowConfig(network=network, size=size, classes=classes))
    stirred(made)
    return made.eval()


def images(n: int, size: int = 8, channels: int = 3) -> torch.Tensor:
    return Noise.shared(1).integers(256, (n, channels, size, size)).float() / 127.5 - 1


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_the_way_back_is_exact(classes: tuple[str, ...]):
    model = flow(classes=classes).double()
    x, labels = images(4).double(), torch.tensor([0, 1, NO_CLASS, 0])
    z = model.encode(x, labels)
    assert z.shape == (4, 3 * 64)
    assert (model.decode(z, labels) - x).abs().max() < 1e-10
    z = Noise.shared(2).normal((4, 3 * 64)).double()
    assert (model.encode(model.decode(z, labels), labels) - z).abs().max() < 1e-10


@pytest.mark.parametrize(
    "layer", [ActNorm(4), Mix(4), Coupling(4, 8, 1, 0), Coupling(5, 8, 0, 0)], ids=lambda x: type(x).__name__
)
def test_the_log_determinant_of_a_layer_is_autograds(layer: Invertible):
    channels = layer.net.stem.in_channels + layer.net.out.out_channels // 2 if isinstance(layer, Coupling) else 4
    own, none = stirred(layer).double(), torch.zeros(1, 0).double()
    x = Noise.shared(3).normal((1, channels, 2, 2)).double()
    y, log_det = own(x, none)
    jacobian = torch.autograd.functional.jacobian(lambda v: own(v, none)[0].flatten(), x).reshape(y.numel(), x.numel())
    assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-9)
    torch.testing.assert_close(own.inverse(y, none), x)


@pytest.mark.parametrize("steps", [(1,), (2, 1)])
def test_the_log_determinant_of_the_whole_is_autograds(steps: tuple[int, ...]):
    model = flow(4, 1, ("a", "b"), steps).double()
    x, one = Noise.shared(4).normal((1, 1, 4, 4)).double(), torch.tensor([[0.0, 1.0]]).double()
    z, log_det = model.flow(x, one)
    jacobian = torch.autograd.functional.jacobian(lambda v: model.flow(v, one)[0].flatten(), x).reshape(16, 16)
    assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-9)
    density = log_det - (z.square() + math.log(2 * math.pi)).sum() / 2
    assert model.log_density(x, torch.tensor([1])).item() == pytest.approx(density.item())


def test_actnorm_takes_mean_and_scale_of_its_first_batch():
    model, x = flow(), images(32)
    layer = ActNorm(3)
    layer.fit(x)
    y, _ = layer(x, torch.zeros(32, 0))
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std((0, 2, 3)), torch.ones(3))
    model.fit(x, torch.full((32,), NO_CLASS), Noise.shared(0))
    z = model.encode(x, torch.full((32,), NO_CLASS))
    assert 0.3 < z.std() < 3


def test_a_flow_that_does_nothing_has_the_bits_of_its_noise():
    """f(x) = a rotation of N(0, I): bits of values drawn from it are the entropy of a Gaussian over bins."""
    network = MultiScaleConfig(channels=1, steps=(1,), widths=(8,))
    with initial_weights(0, "flow"):
        model = Flow(FlowConfig(network=network, size=16))
    with torch.no_grad():
        model.flow.levels[0][0].log_scale.fill_(math.log(10))  # data of standard deviation 0.1
    x = ((0.1 * Noise.shared(0).normal((64, 1, 16, 16)) + 1) * 127.5).round() / 127.5 - 1
    exact = (0.5 * math.log(2 * math.pi * math.e * 0.01) + math.log(127.5)) / math.log(2)
    bits = model.bits(x, torch.full((64,), NO_CLASS), Noise.shared(1)).mean().item()
    assert bits == pytest.approx(exact, abs=0.02)


def test_more_samples_of_the_dequantisation_give_fewer_bits():
    model, x, none = flow(), images(8), torch.full((8,), NO_CLASS)
    with torch.no_grad():
        one, many = (
            torch.stack([model.bits(x, none, Noise.shared(k, seed), k) for seed in range(5)]).mean() for k in (1, 64)
        )
    assert many < one


def test_both_dequantisations_bound_the_same_probability():
    """Of one value: by quadrature over the bin, and by many samples of either kind; log q integrates to one."""
    network = MultiScaleConfig(channels=1, steps=(1,), widths=(8,))
    with initial_weights(0, "flow"):
        model = Flow(FlowConfig(network=network, size=2, dequantise="variational"))
    stirred(model)
    with torch.no_grad():
        model.flow.levels[0][0].log_scale += 2.5  # a density that changes within a bin
    x, none = torch.tensor([[[[0.0, 0.2], [0.1, -0.1]]]]), torch.full((1,), NO_CLASS)
    x = ((x + 1) * 127.5).round() / 127.5 - 1
    u = ((torch.arange(12) + 0.5) / 12 - 0.5) * 2 / 255
    places = torch.cartesian_prod(u, u, u, u).reshape(-1, 1, 2, 2)
    with torch.no_grad():
        inside = model.log_density(x + places, none.expand(len(places))).double()
        exact = -(torch.logsumexp(inside, 0) - math.log(len(places)) + 4 * math.log(2 / 255)).item() / 4 / math.log(2)
        one = torch.stack([model.bits(x, none, Noise.shared(i)) for i in range(100)]).mean().item()
        learned = model.bits(x, none, Noise.shared(0), 600).item()
        spread, model.spread = model.spread, None
        even = model.bits(x, none, Noise.shared(0), 600).item()
    assert spread is not None
    assert one > exact - 0.02 and learned == pytest.approx(exact, abs=0.02) and even == pytest.approx(exact, abs=0.02)


def test_it_learns():
    model = flow(steps=(2,)).train()
    x = images(16) * 0.1
    x = ((x + 1) * 127.5).round() / 127.5 - 1
    model.fit(x, torch.full((16,), NO_CLASS), Noise.shared(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(30):
        loss = model.loss(Batch(images=x), Noise.shared(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.2


def test_what_does_not_fit_is_refused_with_the_fix():
    with pytest.raises(ValueError, match="size = 30: this network needs a multiple of 8; the next that works is 32"):
        FlowConfig(size=30)
    with pytest.raises(ValueError, match=r"steps = \(2,\), widths = \(8, 16\): one of each for every level"):
        MultiScaleConfig(steps=(2,), widths=(8, 16))
    with pytest.raises(ValueError, match="images of 8 x 8 px with 1 channels: this model has"):
        flow().bits(images(2, channels=1), torch.full((2,), NO_CLASS), Noise.shared(0))

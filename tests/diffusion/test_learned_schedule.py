"""VDM's learned schedule: monotone, with the right slope, and less variance after learning."""

import math

import pytest
import torch
from tests.fakes import GaussianData, draw

from unclip.core.noise import Noise
from unclip.diffusion.level import noised
from unclip.diffusion.schedules import LearnedLevels, LearnedSchedule

DATA = GaussianData(mean=0.0, std=0.3)
TIMES = torch.linspace(0, 1, 401)


def bent() -> LearnedSchedule:
    """A schedule that is far from where it started."""
    schedule = LearnedSchedule(width=8)
    with torch.no_grad():
        schedule.height += draw(8, key="height") * 2 + 3
        schedule.steepness += draw(8, key="steep") * 5
        schedule.center += draw(8, key="center") * 0.2
    return schedule


def loss(levels: LearnedLevels, noise: Noise) -> torch.Tensor:
    """The diffusion loss in continuous time, exact denoiser, one value a sample."""
    n = len(levels.log_snr)
    x0, eps = noise.normal((n, 4)) * DATA.std, noise.normal((n, 4))
    x = noised(x0, levels.log_snr, eps)
    found = DATA.denoise(x, levels.log_snr[:, None]).eps
    return levels.slope / 2 * (eps - found).square().sum(1)


@pytest.mark.parametrize("make", [LearnedSchedule, bent])
def test_falls_from_end_to_end_whatever_the_weights(make):
    found = make()(TIMES)
    assert (found.log_snr.diff() < 0).all()
    assert (found.slope > 0).all()
    assert found.log_snr[0].item() == pytest.approx(13.3, abs=1e-4)
    assert found.log_snr[-1].item() == pytest.approx(-5.0, abs=1e-4)


def test_starts_nearly_linear():
    assert (LearnedSchedule()(TIMES).log_snr - (13.3 - 18.3 * TIMES)).abs().max() < 0.3


@pytest.mark.parametrize("make", [LearnedSchedule, bent])
def test_the_slope_is_the_derivative(make):
    schedule, t = make().double(), TIMES.double().requires_grad_()
    found = schedule(t)
    (gradient,) = torch.autograd.grad(found.log_snr.sum(), t)
    assert torch.allclose(found.slope, -gradient, rtol=1e-9)


def gradients(schedule: LearnedSchedule, value: torch.Tensor) -> dict[str, torch.Tensor]:
    schedule.zero_grad()
    value.backward()
    return {name: p.grad.clone() for name, p in schedule.named_parameters() if p.grad is not None}


def test_ends_descend_the_loss_and_the_shape_its_square():
    schedule, noise = bent().double(), lambda: Noise.shared("loss")
    t = torch.linspace(0.01, 0.99, 64).double()
    plain = gradients(schedule, loss(schedule(t), noise()).mean())
    square = gradients(schedule, loss(schedule(t), noise()).square().mean())
    levels = schedule(t)
    value = loss(levels, noise())
    levels.minimise_variance(value)
    found = gradients(schedule, value.mean())
    assert torch.allclose(found["ends"], plain["ends"], rtol=1e-9)
    for name in ("height", "steepness", "center"):
        assert torch.allclose(found[name], square[name], rtol=1e-9)
        assert not torch.allclose(found[name], plain[name], rtol=0.1)


def spread(schedule: LearnedSchedule) -> tuple[float, float]:
    """Mean and standard deviation of the loss over levels and noise."""
    with torch.no_grad():
        values = loss(schedule(TIMES.repeat(50)), Noise.shared("judge"))
    return values.mean().item(), values.std().item()


def test_learning_lowers_the_variance_and_leaves_the_mean():
    schedule = LearnedSchedule(start=10.0, end=-8.0, width=16)
    schedule.ends.requires_grad_(False)
    mean, std = spread(schedule)
    optimiser = torch.optim.Adam(schedule.parameters(), lr=0.1)
    for step in range(100):
        noise = Noise.shared("train", step)
        levels = schedule.draw(64, noise)
        value = loss(levels, noise)
        levels.minimise_variance(value)
        optimiser.zero_grad()
        value.mean().backward()
        optimiser.step()
    after, less = spread(schedule)
    assert after == pytest.approx(mean, rel=0.05)
    assert less < 0.65 * std


def test_what_was_learned_becomes_a_setting():
    schedule = bent()
    fixed = schedule.fixed(1001)
    assert torch.allclose(fixed(TIMES), schedule(TIMES).log_snr, atol=2e-3)
    assert type(fixed).from_dict(fixed.to_dict()) == fixed
    assert fixed.grid(10)[-1] == math.inf


def test_draws_are_stratified():
    levels = LearnedSchedule().draw(16, Noise.shared(3)).log_snr.sort(descending=True).values
    edges = LearnedSchedule()(torch.linspace(0, 1, 17)).log_snr
    assert (levels <= edges[:-1]).all()
    assert (levels >= edges[1:]).all()


@pytest.mark.parametrize("settings, value", [({"start": -5.0}, "start = -5.0"), ({"width": 0}, "width = 0")])
def test_impossible_settings_are_refused(settings: dict, value: str):
    with pytest.raises(ValueError, match=value):
        LearnedSchedule(**settings)

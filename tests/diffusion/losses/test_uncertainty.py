"""EDM2's learned uncertainty: nothing at first, the logarithm of the expected loss in the end."""

import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.diffusion.losses import Uncertainty


def test_starts_as_the_plain_loss():
    loss, levels = draw(6).abs(), torch.linspace(-20, 20, 6)
    assert torch.equal(Uncertainty().weigh(loss, levels), loss)


def test_learns_the_expected_loss_at_every_level():
    """The minimum of L/exp(u) + u is at u = log E[L] (Karras et al. 2024)."""
    learned = Uncertainty(waves=16)
    optimiser = torch.optim.Adam(learned.parameters(), lr=0.05)
    for step in range(400):
        noise = Noise.shared(step)
        levels = noise.uniform((128,)) * 20 - 10
        loss = torch.exp(levels / 5) * noise.normal((128,)).square()
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * (1 - step / 400)
        optimiser.zero_grad()
        learned.weigh(loss, levels).mean().backward()
        optimiser.step()
    levels = torch.linspace(-9, 9, 19)
    assert torch.allclose(learned(levels), levels / 5, atol=0.2)


def test_levels_then_weigh_the_same():
    """d loss / exp(u) at the optimum: of a size that does not depend on the level."""
    learned = Uncertainty()
    with torch.no_grad():
        learned.linear.bias.fill_(3.0)
    levels = torch.tensor([-5.0, 5.0])
    loss = torch.full((2,), 20.0855, requires_grad=True)  # e^3
    (gradient,) = torch.autograd.grad(learned.weigh(loss, levels).sum(), loss)
    assert torch.allclose(gradient * loss, torch.ones(2), atol=1e-4)


def test_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert Uncertainty()(torch.tensor([1.0], dtype=torch.bfloat16)).dtype == torch.float32


def test_no_waves_are_refused():
    with pytest.raises(ValueError, match="uncertainty = -1"):
        Uncertainty(-1)

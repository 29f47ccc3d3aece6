"""The norm of one position: its closed form, and that positions do not feel each other."""

import pytest
import torch
from tests.fakes import draw

from unclip.nn.blocks.norm import PositionNorm, norm_of


def test_closed_form():
    x, norm = draw(2, 16, 3, 4), PositionNorm(16, eps=0.0)
    with torch.no_grad():
        norm.weight.mul_(2)
        norm.bias.add_(0.5)
    y = norm(x)
    assert torch.allclose(y, 2 * x / x.square().mean(1, keepdim=True).sqrt() + 0.5, atol=1e-5)
    assert torch.allclose(((y - 0.5) / 2).square().mean(1), torch.ones(2, 3, 4), atol=1e-5)


@pytest.mark.parametrize("kind, alone", [("position", True), ("group", False)])
def test_what_a_position_feels(kind, alone: bool):
    x, norm = draw(1, 16, 4, 4), norm_of(kind, 16)
    other = x.clone()
    other[..., 0, 0] *= 3
    moved = (norm(other) - norm(x)).abs().amax(1)[0]
    assert bool(moved[1:].max() < 1e-6) is alone

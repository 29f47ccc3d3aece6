"""Closed form, ends, even angles, and the two places where the formula divides by nothing."""

import math

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw

from unclip.core.slerp import angle, slerp


def test_quarter_circle_in_closed_form():
    a, b = torch.tensor([[1.0, 0.0]]).repeat(5, 1), torch.tensor([[0.0, 1.0]]).repeat(5, 1)
    t = torch.linspace(0, 1, 5)
    right = torch.stack([(t * math.pi / 2).cos(), (t * math.pi / 2).sin()], dim=1)
    assert torch.allclose(slerp(a, b, t), right, atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 128), (2, 3, 8, 8)])
def test_ends_are_exact(shape: tuple[int, ...]):
    a, b = draw(*shape, key="a"), draw(*shape, key="b")
    assert torch.equal(slerp(a, b, 0.0), a)
    assert torch.equal(slerp(a, b, 1.0), b)


def test_unit_vectors_stay_so_and_turn_evenly():
    a, b = (F.normalize(draw(1, 64, key=k), dim=1) for k in "ab")
    path = torch.cat([slerp(a, b, i / 10) for i in range(11)])
    assert torch.allclose(path.norm(dim=1), torch.ones(11), atol=1e-6)
    assert torch.allclose(angle(path[:-1], path[1:]), angle(a, b).expand(10) / 10, atol=1e-6)


def test_noise_keeps_its_length_where_a_line_does_not():
    a, b = draw(1, 3, 32, 32, key="a"), draw(1, 3, 32, 32, key="b")
    assert slerp(a, b, 0.5).std().item() == pytest.approx(1, abs=0.03)
    assert ((a + b) / 2).std().item() < 0.75


def test_each_pair_has_a_share_of_its_own():
    a, b = draw(2, 7, key="a"), draw(2, 7, key="b")
    both = slerp(a, b, torch.tensor([0.25, 0.75]))
    assert torch.allclose(both[1:], slerp(a[1:], b[1:], 0.75))


@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-8, 3e-6, 1e-3])
def test_near_vectors_are_no_division_by_zero(apart: float):
    a = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([[math.cos(apart), math.sin(apart)]], dtype=torch.float64)
    assert angle(a, b).item() == pytest.approx(apart, rel=1e-6, abs=1e-15)
    half = torch.tensor([[math.cos(apart / 2), math.sin(apart / 2)]], dtype=torch.float64)
    assert torch.allclose(slerp(a, b, 0.5), half, atol=1e-12)


def test_opposite_and_zero_vectors_are_refused():
    a = F.normalize(draw(2, 9), dim=1)
    with pytest.raises(ValueError, match="opposite"):
        slerp(a, -a, 0.5)
    with pytest.raises(ValueError, match="zeros"):
        slerp(a, torch.zeros_like(a), 0.5)

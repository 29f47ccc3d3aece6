import pytest
import torch

from unclip.core.noise import Noise
from unclip.data.moons import CENTRE, SCALE, two_moons


def test_points_lie_on_two_half_circles():
    points = two_moons(400, Noise.shared(0), spread=0.0) / SCALE + torch.tensor(CENTRE)
    upper, lower = points[::2], points[1::2]
    assert torch.allclose(upper.norm(dim=1), torch.ones(200), atol=1e-5)
    assert torch.allclose((lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(200), atol=1e-5)
    assert upper[:, 1].min() >= -1e-5
    assert lower[:, 1].max() <= 0.5 + 1e-5


def test_they_are_centred_and_of_unit_size():
    points = two_moons(200_000, Noise.shared(1))
    assert points.mean(0).tolist() == pytest.approx([0, 0], abs=0.01)
    assert points.square().mean().item() == pytest.approx(1.0, abs=0.02)


def test_the_same_noise_gives_the_same_points():
    assert torch.equal(two_moons(10, Noise.shared(3)), two_moons(10, Noise.shared(3)))

import torch
from tests.fakes import NOTHING, awake, built, draw

from unclip.nn.blocks.mlp import MLP


def test_it_starts_at_zero_and_then_hears_the_level():
    x, levels = draw(3, 2), torch.tensor([-3.0, 0.0, 3.0])
    fresh = built(lambda: MLP(2))
    assert not fresh(x, levels, NOTHING).any()
    net = awake(fresh)
    assert net(x, levels, NOTHING).shape == (3, 2)
    assert not torch.allclose(net(x, levels, NOTHING), net(x, -levels, NOTHING), atol=1e-3)


def test_a_point_does_not_depend_on_its_neighbours():
    net, x = awake(built(lambda: MLP(3, width=16, layers=1))), draw(4, 3)
    levels = torch.zeros(4)
    assert torch.allclose(net(x, levels, NOTHING)[2:3], net(x[2:3], levels[:1], NOTHING), atol=1e-6)

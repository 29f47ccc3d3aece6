"""Two networks that share the levels."""

import torch
from tests.fakes import awake, built, draw, tiny_unet

from unclip.core.condition import Condition
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.experts import Experts, ExpertsConfig

CONFIG = ExpertsConfig(tiny_unet(vector_width=4), border=0.5)


@torch.no_grad()
def test_each_sample_is_told_by_the_network_that_knows_its_level():
    net = awake(built(CONFIG.build))
    assert isinstance(net, Experts)
    x, levels, cond = (
        draw(5, 3, 16, 16),
        torch.tensor([-2.0, 0.5, 3.0, 0.4, 9.0]),
        Condition(vector=draw(5, 4, key="v")),
    )
    found = net(x, levels, cond)
    for i, expert in enumerate((net.noisy, net.clean, net.clean, net.noisy, net.clean)):
        alone = expert(x[i : i + 1], levels[i : i + 1], cond.map(lambda t, i=i: t[i : i + 1]))
        assert (found[i] - alone[0]).abs().max() < 1e-5
    assert (net.noisy(x, levels, cond) - net.clean(x, levels, cond)).abs().max() > 1e-2
    for level, expert in ((-1.0, net.noisy), (1.0, net.clean)):
        assert torch.equal(net(x, torch.full((5,), level), cond), expert(x, torch.full((5,), level), cond))


def test_its_settings_are_those_of_each():
    wider = CONFIG.changed(image_channels=3, vector_width=1)
    assert (wider.image_channels, wider.vector_width, wider.of.vector_width, wider.border) == (3, 1, 1, 0.5)
    assert (CONFIG.channels, CONFIG.multiple, CONFIG.token_width) == (3, CONFIG.of.multiple, 0)
    assert ImageNetworkConfig.from_dict(CONFIG.to_dict()) == CONFIG

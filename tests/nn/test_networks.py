"""The networks: shapes, independence of neighbours and of padding, and that every input is heard."""

import pytest
import torch
from tests.fakes import NOTHING, awake, built, draw, tiny_unet, unet
from torch import nn

from unclip.core.condition import Condition
from unclip.nn.backbones.unet import UNet, UNetConfig
from unclip.nn.blocks.embed import LevelEmbedding, Standardize
from unclip.nn.blocks.resblock import ResBlock
from unclip.nn.prior.prior_net import PriorNet, PriorNetConfig

LEVELS = torch.tensor([-2.0, 0.5, 3.0])


def told(n: int = 3, tokens: int = 5) -> Condition:
    mask = torch.arange(tokens) < torch.tensor([[2], [tokens], [3]])[:n]
    return Condition(vector=draw(n, 6, key="v"), tokens=draw(n, tokens, 12, key="t"), mask=mask)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (64, 64), (16, 32), (8, 4)], ids=str)
def test_unet_gives_back_the_shape_it_gets(channels: int, size: tuple[int, int]):
    x = draw(3, channels, *size)
    y = unet(channels=channels)(x, LEVELS, NOTHING)
    assert y.shape == x.shape
    assert y.std() > 1e-3


DEEP = {"widths": (16, 16, 24), "blocks": (1, 0, 2), "attention": (True, False, True)}


@pytest.mark.parametrize("changes", [{"fine": 0}, {"patch": 1}, DEEP], ids=str)
def test_other_shapes_of_unet(changes: dict):
    net = unet(**changes)
    side = 2 * net.config.multiple
    assert net(draw(3, 3, side, side), LEVELS, NOTHING).shape == (3, 3, side, side)


def test_default_unet_starts_flat_at_both_sizes():
    net = built(lambda: UNet(UNetConfig()))
    with torch.no_grad():
        for size in (32, 64):
            y = net(draw(1, 3, size, size), LEVELS[:1], NOTHING)
            assert torch.equal(y, y[:, :, :1, :1].expand_as(y))  # nothing but the last bias
            assert y.abs().max() < 0.2


def test_unequal_lists_are_refused():
    with pytest.raises(ValueError, match="equal lengths"):
        UNetConfig(widths=(16, 32), blocks=(1, 1, 1), attention=(False, True))


def test_multiple_is_what_the_unet_divides_by():
    assert tiny_unet().multiple == 4
    assert UNetConfig().multiple == 8


def test_unet_is_independent_of_batch_neighbours_and_of_padding():
    net, x, cond = unet(vector_width=6, token_width=12), draw(3, 3, 16, 16), told()
    y = net(x, LEVELS, cond)
    for i in range(3):
        alone = net(x[i : i + 1], LEVELS[i : i + 1], cond.map(lambda t, i=i: t[i : i + 1]))
        assert torch.allclose(alone[0], y[i], atol=1e-5)
    assert cond.tokens is not None and cond.mask is not None
    spoilt = Condition(vector=cond.vector, tokens=cond.tokens + 50 * ~cond.mask[:, :, None], mask=cond.mask)
    assert torch.allclose(net(x, LEVELS, spoilt), y, atol=1e-5)


@pytest.mark.parametrize("part", ["x", "level", "vector", "tokens", "mask"])
def test_unet_hears_every_input(part: str):
    net, x, cond, level = unet(vector_width=6, token_width=12), draw(3, 3, 16, 16), told(), LEVELS
    y = net(x, level, cond)
    if part == "x":
        x = x + 0.5
    elif part == "level":
        level = level + 0.5
    else:
        changed = ~getattr(cond, part) if part == "mask" else getattr(cond, part) + 1
        cond = Condition(**{**vars(cond), part: changed})
    assert (net(x, level, cond) - y).abs().amax((1, 2, 3)).max() > 1e-4


def test_every_weight_of_the_unet_learns():
    net = unet(vector_width=6, token_width=12).train()
    net(draw(3, 3, 16, 16), LEVELS, told()).square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_detail_reaches_the_output_past_the_core():
    net, x = unet(fine=0), draw(1, 3, 16, 16)
    for parameter in net.grow.parameters():
        nn.init.zeros_(parameter)  # nothing comes up from the core: the skips alone are left
    assert (net(x, LEVELS[:1], NOTHING) - net(x + draw(16, 16), LEVELS[:1], NOTHING)).abs().max() > 1e-3


def prior_net() -> PriorNet:
    net = awake(built(lambda: PriorNet(PriorNetConfig(6, 12, context=5, width=16, layers=2, heads=2))))
    assert isinstance(net, PriorNet)
    return net


def test_prior_net_ignores_padding_and_neighbours():
    net, z, cond = prior_net(), draw(3, 6), told()
    y = net(z, LEVELS, cond)
    assert y.shape == (3, 6)
    assert cond.vector is not None and cond.tokens is not None and cond.mask is not None
    spoilt = Condition(vector=cond.vector, tokens=cond.tokens + 50 * ~cond.mask[:, :, None], mask=cond.mask)
    assert torch.allclose(net(z, LEVELS, spoilt), y, atol=1e-5)
    short = Condition(vector=cond.vector[:1], tokens=cond.tokens[:1, :2], mask=cond.mask[:1, :2])
    assert torch.allclose(net(z[:1], LEVELS[:1], short), y[:1], atol=1e-5)


@pytest.mark.parametrize("part", ["z", "level", "vector", "tokens"])
def test_prior_net_hears_every_input(part: str):
    net, z, cond, level = prior_net(), draw(3, 6), told(), LEVELS
    y = net(z, level, cond)
    if part == "z":
        z = z + 0.5
    elif part == "level":
        level = level + 0.5
    else:
        cond = Condition(**{**vars(cond), part: getattr(cond, part) * 2 + 1})
    assert (net(z, level, cond) - y).abs().amax(1).min() > 1e-4


def test_standardize_and_its_inverse():
    data = draw(200, 4) * torch.tensor([1.0, 5.0, 0.1, 0.0]) + torch.tensor([0.0, 3.0, -2.0, 7.0])
    layer = Standardize(4)
    layer.fit(data)
    z = layer(data)
    assert torch.allclose(layer.inverse(z), data, atol=1e-5)
    assert torch.allclose(z.mean(0), torch.zeros(4), atol=1e-4)
    assert torch.allclose(z.std(0)[:3], torch.ones(3), atol=1e-4)
    assert torch.isfinite(z).all()  # the last dimension never varies
    assert set(layer.state_dict()) == {"mean", "std"}  # it travels with the weights


def test_level_embedding_tells_levels_apart_and_bounds_the_ends():
    embed = LevelEmbedding(32)
    angle = torch.linspace(-20, 20, 401)[:, None] * embed.frequencies
    features = torch.cat([angle.sin(), angle.cos()], 1)
    apart = torch.cdist(features, features) + 9 * torch.eye(401)
    assert apart.min() > 0.3  # levels 0.1 apart
    assert torch.equal(embed(torch.tensor([20.0])), embed(torch.tensor([torch.inf])))


def test_resblock_starts_as_the_identity_and_hears_its_embedding():
    block, x = built(lambda: ResBlock(32, 8)), draw(2, 32, 4, 4)
    nn.init.zeros_(block.conv2.bias)
    assert torch.equal(block(x, draw(2, 8)), x)
    awake(block)
    assert (block(x, draw(2, 8)) - block(x, draw(2, 8, key=1))).abs().max() > 1e-3

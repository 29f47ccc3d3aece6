"""More input channels, which at first change nothing."""

import pytest
import torch
from tests.fakes import awake, built, draw, tiny_unet
from torch import nn

from unclip.core.condition import Condition
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.backbones.dit import DiTConfig
from unclip.nn.backbones.experts import ExpertsConfig
from unclip.nn.backbones.widen import load_widened, widened
from unclip.nn.blocks.resblock import ResBlockConfig

HEARD = {"vector_width": 6, "token_width": 12}
NETWORKS = {
    "hourglass": tiny_unet(patch=4, **HEARD),
    "hourglass without a fine end": tiny_unet(fine=0, **HEARD),
    "U-Net": DiffusionUNetConfig(
        width=16, multipliers=(1, 2), blocks=1, attention=(False, True), head_width=16, block=ResBlockConfig(groups=8),
        **HEARD,
    ),
    "experts": ExpertsConfig(tiny_unet(**HEARD), border=0.5),
    "DiT": DiTConfig(patch=4, width=32, layers=2, heads=4, **HEARD),
}  # fmt: skip
every = pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS.keys())
LEVELS = torch.tensor([-3.0, 0.0, 1.0, 4.0])


def told(image: torch.Tensor | None = None) -> Condition:
    return Condition(vector=draw(4, 6, key="v"), tokens=draw(4, 5, 12, key="t"), image=image)


def pair(config: ImageNetworkConfig) -> tuple[nn.Module, nn.Module]:
    """A network that has learned something, and the same one with four channels more."""
    narrow, wide = awake(built(config.build)), built(widened(config, 4).build, "other").eval()
    load_widened(wide, narrow.state_dict())
    return narrow, wide


@every
@pytest.mark.parametrize("already", [0, 3])
@torch.no_grad()
def test_the_new_channels_change_nothing_bit_for_bit(config: ImageNetworkConfig, already: int):
    narrow, wide = pair(config.changed(image_channels=already))
    x, image = draw(4, 3, 16, 16), draw(4, already + 4, 16, 16, key="image")
    y = narrow(x, LEVELS, told(image[:, :already] if already else None))
    assert y.std() > 1e-2
    assert torch.equal(wide(x, LEVELS, told(image)), y)
    alone = wide(x[:1], LEVELS[:1], told(image).map(lambda t: t[:1]))  # summed in another order, perhaps
    assert (alone - y[:1]).abs().max() < 1e-5


@every
def test_the_new_channels_can_learn(config: ImageNetworkConfig):
    _, wide = pair(config)
    x, image = draw(4, 3, 16, 16), draw(4, 4, 16, 16, key="image")
    before = wide(x, LEVELS, told(image))
    before.square().sum().backward()
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter -= 1e-3 * parameter.grad.sign() if parameter.grad is not None else 0
        after, other = wide(x, LEVELS, told(image)), wide(x, LEVELS, told(-image))
    assert (after - other).abs().amax((1, 2, 3)).min() > 1e-4


@every
def test_other_weights_are_refused(config: ImageNetworkConfig):
    narrow, wide = pair(config)
    with pytest.raises(ValueError, match="cannot be widened"):
        load_widened(narrow, wide.state_dict())
    with pytest.raises(ValueError, match=r"weights of another network: .* in one of the two only"):
        load_widened(wide, {"a": torch.zeros(1)})

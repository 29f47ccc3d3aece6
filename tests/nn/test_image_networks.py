"""What every network of images keeps: DDPM's and ADM's U-Net and DiT, each as small as its settings allow."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import NOTHING, awake, built, draw
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unclip.core.condition import Condition
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig, adm_imagenet64, ddpm_cifar10
from unclip.nn.backbones.dit import DiT, DiTConfig, dit_config
from unclip.nn.backbones.unet import UNetConfig
from unclip.nn.blocks.resblock import ResBlockConfig

LEVELS = torch.tensor([-2.0, 0.5, 3.0])
HEARD = {"vector_width": 6, "token_width": 12}
SMALL = {"width": 16, "multipliers": (1, 2, 2), "blocks": 1, "attention": (False, True, False)}
DDPM = replace(ddpm_cifar10(), **SMALL, **HEARD, block=ResBlockConfig(groups=8, eps=1e-6, scale_shift=False))
ADM = DiffusionUNetConfig(**SMALL, **HEARD, head_width=16, block=ResBlockConfig(groups=8))
DIT = DiTConfig(patch=4, width=32, layers=2, heads=4, **HEARD)
HOURGLASS = UNetConfig(patch=2, widths=(16, 32), blocks=(1, 1), **HEARD)
Settings = DiffusionUNetConfig | DiTConfig
every = pytest.mark.parametrize("config", [DDPM, ADM, DIT], ids=["DDPM", "ADM", "DiT"])


def fresh(config: Settings) -> DiffusionUNet | DiT:
    return built(lambda: DiT(config) if isinstance(config, DiTConfig) else DiffusionUNet(config))


def opened(config: Settings) -> nn.Module:
    return awake(fresh(config))


def told(n: int = 3, tokens: int = 5) -> Condition:
    mask = torch.arange(tokens) < torch.tensor([[2], [tokens], [3]])[:n]
    return Condition(vector=draw(n, 6, key="v"), tokens=draw(n, tokens, 12, key="t"), mask=mask)


def parameters(config: Settings) -> int:
    """Counted without allocating."""
    with torch.device("meta"):
        net = DiT(config) if isinstance(config, DiTConfig) else DiffusionUNet(config)
    return sum(p.numel() for p in net.parameters())


def test_ddpm_has_the_35_7_million_parameters_of_its_paper():
    assert parameters(ddpm_cifar10()) == 35_746_307  # the exact figure is that of google/ddpm-cifar10-32
    assert parameters(replace(ddpm_cifar10(), level="log_snr")) == 35_746_307


def test_adm_has_the_296_million_parameters_of_its_paper():
    assert round(parameters(adm_imagenet64()) / 1e6) == 296


@pytest.mark.parametrize(
    "size, millions, billions", [("S", 33, 6.06), ("B", 130, 23.01), ("L", 458, 80.71), ("XL", 675, 118.64)]
)
def test_dit_has_the_parameters_and_the_work_of_its_paper(size, millions: int, billions: float):
    """Peebles & Xie 2023, tables 1 and 4, on latents of 32 x 32; they count a multiply-add once, torch twice."""
    latents = replace(dit_config(size), channels=4, vector_width=1001, learned_variance=True)
    assert round(parameters(latents) / 1e6) == millions
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        DiT(latents)(torch.zeros(1, 4, 32, 32), torch.zeros(1), Condition(vector=torch.zeros(1, 1001)))
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, rel=2e-3)


@every
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (8, 24), (4, 4)], ids=str)
@pytest.mark.parametrize("learned", [False, True])
def test_any_size_gray_or_colour_with_or_without_a_variance(config: Settings, channels: int, size, learned: bool):
    net = opened(replace(config, channels=channels, learned_variance=learned))
    y = net(draw(3, channels, *size), LEVELS, told())
    assert y.shape == (3, channels * (2 if learned else 1), *size)
    assert y.std((1, 2, 3)).min() > 1e-3


@every
def test_a_size_that_does_not_fit_is_refused_with_the_fix(config: Settings):
    with pytest.raises(ValueError, match=r"18 x 11 px.*divisible by 4.*to 16 x 12"):
        fresh(config)(draw(1, 3, 18, 11), LEVELS[:1], NOTHING)
    with pytest.raises(ValueError, match=r"with 1 channels.*takes 3.*channels = 1"):
        fresh(config)(draw(1, 1, 16, 16), LEVELS[:1], NOTHING)


@every
def test_the_output_starts_at_zero(config: Settings):
    assert not fresh(config)(draw(3, 3, 16, 16), LEVELS, told()).any()


@every
def test_the_blocks_start_as_the_identity(config: Settings):
    """With an open end, neither level nor condition is heard before training."""
    net, x = fresh(config), draw(3, 3, 16, 16)
    nn.init.normal_(net.out.weight)
    y = net(x, LEVELS, told())
    assert y.std() > 0.1
    assert torch.equal(net(x, LEVELS + 3, NOTHING), y)


@every
@pytest.mark.parametrize("part", ["x", "level", "vector", "tokens", "mask"])
def test_every_input_is_heard_by_every_sample(config: Settings, part: str):
    net, x, cond, level = opened(config), draw(3, 3, 16, 16), told(), LEVELS
    y = net(x, level, cond)
    if part == "x":
        x = x + 0.5
    elif part == "level":
        level = level + 0.5
    else:
        changed = ~getattr(cond, part) if part == "mask" else getattr(cond, part) * 2 + 1
        cond = Condition(**{**vars(cond), part: changed})
    assert (net(x, level, cond) - y).abs().amax((1, 2, 3)).min() > 1e-4


@every
def test_masked_tokens_and_neighbours_are_not_heard(config: Settings):
    net, x, cond = opened(config), draw(3, 3, 16, 16), told()
    y = net(x, LEVELS, cond)
    assert cond.tokens is not None and cond.mask is not None
    spoilt = replace(cond, tokens=cond.tokens + 50 * ~cond.mask[:, :, None])
    assert torch.allclose(net(x, LEVELS, spoilt), y, atol=1e-5)
    for i in range(3):
        alone = net(x[i : i + 1], LEVELS[i : i + 1], cond.map(lambda t, i=i: t[i : i + 1]))
        assert torch.allclose(alone[0], y[i], atol=1e-5)
    none = net(x, LEVELS, replace(cond, mask=torch.zeros_like(cond.mask)))
    assert torch.allclose(none, net(x, LEVELS, replace(cond, tokens=None, mask=None)), atol=1e-5)
    whole = replace(cond, mask=torch.ones_like(cond.mask))
    assert torch.allclose(net(x, LEVELS, whole), net(x, LEVELS, replace(cond, mask=None)), atol=1e-5)


@pytest.mark.parametrize("config", [DDPM, ADM, DIT, HOURGLASS], ids=["DDPM", "ADM", "DiT", "hourglass"])
def test_a_picture_beside_the_input_is_heard_where_it_stands(config: ImageNetworkConfig):
    net = awake(built(replace(config, image_channels=2).build)).eval()  # pyright: ignore[reportCallIssue]
    x, image = draw(3, 3, 16, 16), draw(3, 2, 16, 16, key="image")
    y = net(x, LEVELS, replace(told(), image=image))
    other = image.clone()
    other[1] += 1
    changed = (net(x, LEVELS, replace(told(), image=other)) - y).abs().amax((1, 2, 3))
    assert changed[1] > 1e-4 and changed[[0, 2]].max() < 1e-5
    for wrong in (None, image[:, :1], image[..., :8]):
        with pytest.raises(ValueError, match=r"condition.image has shape .*this network needs \(3, 2, 16, 16\)"):
            net(x, LEVELS, replace(told(), image=wrong))


@every
def test_a_network_without_conditions_ignores_them(config: Settings):
    net, x = opened(replace(config, vector_width=0, token_width=0)), draw(3, 3, 16, 16)
    assert torch.equal(net(x, LEVELS, told()), net(x, LEVELS, NOTHING))


@every
def test_the_gradient_reaches_every_parameter(config: Settings):
    net = opened(replace(config, learned_variance=True)).train()
    net(draw(3, 3, 16, 16), LEVELS, told()).square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@every
@pytest.mark.parametrize("level", [-20.0, 20.0, torch.inf])
def test_bfloat16_stays_finite_at_both_ends(config: Settings, level: float):
    net, x, levels = opened(config), draw(3, 3, 16, 16), torch.full((3,), level)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x, levels, told())
    exact = net(x, levels, told())
    assert torch.isfinite(y).all()
    assert (y - exact).square().mean() < 0.01 * exact.square().mean()


@every
def test_learns_one_batch_by_heart(config: Settings):
    """Images for vectors alone: the input is the same for all four."""
    coarse = {} if isinstance(config, DiTConfig) else {"multipliers": (1, 2), "attention": (False, True)}
    net = fresh(replace(config, token_width=0, **coarse)).train()
    x, target = draw(1, 3, 4, 4).expand(4, -1, -1, -1), draw(4, 3, 4, 4, key="target")
    cond, levels = Condition(vector=3 * draw(4, 6, key="v")), torch.zeros(4)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(40):
        loss = F.mse_loss(net(x, levels, cond), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert F.mse_loss(net(x, levels, cond), target) < 0.05  # from 1


@every
def test_settings_survive_a_file(config: Settings):
    assert type(config).from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: replace(ADM, attention=(True,)), "equal lengths"),
        (lambda: replace(ADM, multipliers=(), attention=()), "multipliers = (): expected 1 to 8 values"),
        (lambda: replace(ADM, blocks=0), "blocks = 0"),
        (lambda: replace(ADM, width=20), "block.groups = 8: must divide all widths (20, 40, 40)"),
        (lambda: replace(ADM, block=ResBlockConfig()), "block.groups = 0"),
        (lambda: replace(ADM, head_width=12), "head_width = 12: must divide the widths with attention, [32, 32]"),
        (lambda: ResBlockConfig(dropout=1.0), "dropout = 1.0"),
        (lambda: replace(DIT, width=30), "width = 30: must be divisible by 4"),
        (lambda: replace(DIT, heads=5), "heads = 5"),
    ],
)
def test_settings_that_cannot_work_are_refused(make: Callable[[], Settings], words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        make()

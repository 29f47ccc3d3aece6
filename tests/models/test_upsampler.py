"""Upsamplers: a tiny one draws sharper and truer edges than bicubic; crops, sizes, seeds, and no seams."""

from dataclasses import replace

import pytest
import torch
from tests import enlarging
from tests.enlarging import CONFIG, NETWORK, drawn, upsampler
from tests.fakes import Function, tiny_unet

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.data.degradation import BSR, Clean, GaussianBlur
from unclip.data.images.resize import enlarge, shrink
from unclip.evaluation.fidelity.seams import halves, reach, seams
from unclip.evaluation.fidelity.texture import roughness, sharpness
from unclip.images.fidelity import psnr
from unclip.models.upsampler import Upsampler, UpsamplerConfig, crop_side, upsampler_network
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.backbones.experts import ExpertsConfig
from unclip.nn.blocks.attention import ImageAttention
from unclip.nn.blocks.resblock import ResBlockConfig


def last(model: Upsampler, low: torch.Tensor, seeds: list[int], strength: float = 0.0) -> torch.Tensor:
    *_, end = model.sample(low, Noise.per_sample(seeds), strength=strength)
    return end.x


@pytest.fixture(scope="module")
def trained() -> Upsampler:
    return enlarging.trained()


def test_beats_bicubic_on_pictures_it_never_saw(trained: Upsampler):
    real = drawn(24, 99)
    low = shrink(real, 2)
    made, plain = last(trained, low, list(range(24))).clamp(-1, 1), enlarge(low, 2)
    assert psnr(made, real).mean() > psnr(plain, real).mean() + 1.5
    off = [abs(sharpness(x) / sharpness(real) - 1) for x in (made, plain)]
    assert off[0] < 0.6 * off[1]
    assert roughness(made) < 1.6 * roughness(real)
    assert psnr(shrink(made, 2), low).mean() > 30
    assert 0.8 < seams(made, real, CONFIG.step) < seams(plain, real, CONFIG.step)


def test_mends_a_blur_that_it_is_told_of(trained: Upsampler):
    real = drawn(24, 98)
    low = shrink(real, 2)
    blurred = GaussianBlur().apply(low, torch.ones(24), Noise.shared(0))
    told, untold = (last(trained, blurred, list(range(24)), s) for s in (1.0, 0.0))
    assert psnr(told, real).mean() > psnr(untold, real).mean() + 0.5
    assert psnr(told, real).mean() > psnr(enlarge(blurred, 2), real).mean() + 1


def test_works_at_another_size_as_at_its_own(trained: Upsampler):
    real = drawn(8, 97)
    wide = torch.cat([torch.cat([*real[:4]], -1)[None], torch.cat([*real[4:]], -1)[None]])  # 32 x 128
    made = last(trained, shrink(wide, 2), [0, 1])
    assert psnr(made, wide).mean() > psnr(enlarge(shrink(wide, 2), 2), wide).mean() + 1.5


def test_a_half_drawn_alone_is_the_half_of_the_whole(trained: Upsampler):
    real = drawn(6, 96)
    low = shrink(torch.cat([torch.cat([*real[:3]], -1)[None], torch.cat([*real[3:]], -1)[None]]), 2)  # 16 x 48
    assert 0 < reach(trained, low[..., :32]) < 32
    assert halves(trained, low, away=24) < 0.5
    with pytest.raises(ValueError, match="away = 60 px: a half has 48"):
        halves(trained, low, away=60)


def test_norms_over_the_whole_picture_have_no_reach():
    low = shrink(drawn(1, 0), 2)
    wide = torch.cat([low, low, low, low], dim=-1)
    near, far = (upsampler(replace(CONFIG, network=replace(NETWORK, norm=norm))) for norm in ("position", "group"))
    assert reach(near, wide) < 40
    assert reach(far, wide) == 64


def test_same_seed_same_picture_alone_and_in_a_batch():
    model, low = upsampler(), shrink(drawn(3, 5), 2)
    together = last(model, low, [7, 8, 9])
    assert (last(model, low[1:2], [8])[0] - together[1]).abs().max() < 1e-3
    assert (last(model, low[1:2], [11])[0] - together[1]).abs().max() > 1e-2


@pytest.mark.parametrize("h, w", [(16, 16), (7, 10), (1, 3)])
def test_any_size(h: int, w: int):
    low = shrink(drawn(1, 5), 2)[..., :h, :w]
    steps = list(upsampler().sample(low, Noise.per_sample([0])))
    assert len(steps) == 6
    assert steps[-1].x.shape == (1, 3, 2 * h, 2 * w)
    assert all(step.x0.abs().max() <= 1 for step in steps)


def test_crops_are_of_one_place():
    model, images = upsampler(), drawn(6, 2)
    high, low = model.crops(images, Noise.shared(3))
    assert high.shape == (6, 3, 16, 16) and low.shape == (6, 3, 8, 8)
    assert (shrink(high, 2) - low)[..., 3:-3, 3:-3].abs().max() < 1e-5  # away from the crop's own border
    again, other = (model.crops(images, Noise.shared(key))[0] for key in (3, 4))
    assert torch.equal(high, again) and not torch.equal(high, other)


def test_crop_sides():
    assert [crop_side(size, 4) for size in (32, 64, 128, 256, 512, 1024)] == [32, 64, 64, 64, 128, 256]
    assert crop_side(192, 24) == 72


def test_the_spread_of_the_details():
    model = upsampler()
    images = drawn(16, 4)
    model.fit(images)
    assert model.spread.item() == pytest.approx((images - enlarge(shrink(images, 2), 2)).std().item())
    model.fit(torch.zeros(2, 3, 32, 32))
    assert model.spread.item() == 1


def test_one_that_predicts_the_image_itself():
    model = upsampler(replace(CONFIG, predicts="image", degradation=Clean()))
    images = drawn(16, 4)
    model.fit(images)
    assert model.spread.item() == 0.5
    model.diffusion.denoiser.network = Function(lambda x, level, cond: torch.full_like(x, 0.25))
    *_, last = model.sample(shrink(images, 2), Noise.per_sample(range(16)))
    assert (last.x - 0.25).abs().max() < 1e-6  # X0: what the network says is the image
    expected = (images - 0.25).square().mean()
    assert model.loss(Batch(images=images), Noise.shared(1)).total.item() == pytest.approx(expected.item(), rel=0.2)


NETWORKS: list[ImageNetworkConfig] = [
    NETWORK,
    ExpertsConfig(NETWORK, border=0.0),
    DiffusionUNetConfig(
        width=16, multipliers=(1, 2), attention=(False, False), head_width=16, block=ResBlockConfig(8),
        vector_width=1, image_channels=3,
    ),
]  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("degradation", [Clean(), GaussianBlur(), BSR()], ids=lambda d: type(d).__name__)
def test_trains_with_every_network_and_degradation(network: ImageNetworkConfig, degradation):
    model = upsampler(replace(CONFIG, network=network, degradation=degradation))
    losses = model.loss(Batch(images=drawn(4, 0)), Noise.shared(1))
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    again = Upsampler(UpsamplerConfig.from_dict(model.config.to_dict()))
    again.load_state_dict(model.state_dict())
    assert again.config == model.config


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"size": 40}, "size must be 2, 3, 4 ... times low"),
        ({"size": 16}, "size must be 2, 3, 4 ... times low"),
        ({"crop": 18}, "crop = 18: a multiple of 4 px, at most size = 32"),
        ({"crop": 36}, "crop = 36"),
        ({"network": tiny_unet()}, "an upsampler needs 3, 1, 0"),
    ],
)
def test_refused_settings(changes: dict, why: str):
    with pytest.raises(ValueError, match=why):
        replace(CONFIG, **changes)


def test_no_network_has_attention():
    """unCLIP, section 2.1: convolutions alone, so that what was trained on crops works on whole images."""
    for network in (*NETWORKS, upsampler_network()):
        assert not any(isinstance(module, ImageAttention) for module in network.build().modules())
    norms = ResBlockConfig(8, norm="position")
    adm = upsampler(replace(CONFIG, network=NETWORKS[2].changed(block=norms, blocks=1)))
    low = shrink(drawn(1, 0), 2)
    assert reach(adm, torch.cat([low] * 6, dim=-1)) < 96


def test_refused_pictures():
    model = upsampler()
    with pytest.raises(ValueError, match=r"images \[3, 16, 16\]: this upsampler trains on \[3, 32, 32\]"):
        model.loss(Batch(images=torch.zeros(1, 3, 16, 16)), Noise.shared(0))
    with pytest.raises(ValueError, match="strength = 2"):
        next(model.sample(torch.zeros(1, 3, 8, 8), Noise.per_sample([0]), strength=2.0))
    with pytest.raises(ValueError, match="an image of 2400 x 8 px would come out; at most 2048"):
        next(model.sample(torch.zeros(1, 3, 4, 1200), Noise.per_sample([0])))

"""Degradations: closed forms, Pillow's JPEG, no effect at strength 0, and a fate that no neighbour changes."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from tests.fakes import family

from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.data.degradation import BSR, Clean, Degradation, GaussianBlur
from unclip.data.degradation.blur import filtered, gaussian
from unclip.data.degradation.bsr import resized
from unclip.data.degradation.jpeg import compressed, cosines
from unclip.data.loader import to_tensor
from unclip.data.shapes.world import World

MEMBERS = [member() for member in family(Degradation)]
EVERY = pytest.mark.parametrize("degradation", MEMBERS, ids=lambda d: type(d).__name__)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return to_tensor(np.stack([image for image, _, _ in World().sample(8, 3)]))


def steepness(x: torch.Tensor) -> float:
    return x.diff(dim=-1).square().mean().item()


def test_the_family():
    assert {type(m) for m in MEMBERS} == {Clean, GaussianBlur, BSR}


@EVERY
def test_settings_come_back(degradation: Degradation):
    assert Degradation.from_dict(degradation.to_dict()) == degradation
    assert isinstance(degradation, Config)


@EVERY
def test_strength_0_changes_nothing(degradation: Degradation, pictures: torch.Tensor):
    same = degradation.apply(pictures, torch.zeros(8), Noise.shared(0))
    assert torch.allclose(same, pictures, atol=1e-6)


@EVERY
def test_a_picture_does_not_feel_its_neighbours(degradation: Degradation, pictures: torch.Tensor):
    seeds = range(10, 18)
    together = degradation(pictures, Noise.per_sample(seeds))
    again = degradation(pictures, Noise.per_sample(seeds))
    alone = degradation(pictures[3:4], Noise.per_sample([13]))
    assert torch.equal(together.images, again.images)
    assert torch.allclose(together.images[3:4], alone.images, atol=1e-6)
    assert torch.equal(together.strength[3:4], alone.strength)


@EVERY
def test_strengths_are_shares(degradation: Degradation):
    drawn = degradation.draw(2000, Noise.shared(1))
    assert ((drawn >= 0) & (drawn <= 1)).all()
    untouched = (drawn == 0).float().mean().item()
    assert untouched == pytest.approx(1 - getattr(degradation, "share", 0), abs=0.04)


def test_the_papers_blur_in_closed_form():
    e = math.exp(-1 / (2 * 0.6**2))
    row = torch.tensor([e, 1, e]) / (1 + 2 * e)
    point = torch.zeros(1, 3, 5, 5)
    point[:, :, 2, 2] = 1
    found = GaussianBlur().apply(point, torch.ones(1), Noise.shared(0))
    wanted = torch.zeros(5, 5)
    wanted[1:4, 1:4] = row[:, None] * row
    assert torch.allclose(found[0, 1], wanted, atol=1e-6)


def test_a_turned_gaussian_has_the_variances_of_its_axes():
    a, b, angle = 2.0, 1.0, 0.7
    window = gaussian(21, *(torch.tensor([v]) for v in (a, b, angle)))[0]
    place = torch.arange(21.0) - 10
    xx, yy = (window.sum(0) * place**2).sum(), (window.sum(1) * place**2).sum()
    xy = (window * place[:, None] * place).sum()
    c, s = math.cos(angle), math.sin(angle)
    wanted = (a * a * c * c + b * b * s * s, a * a * s * s + b * b * c * c, (a * a - b * b) * c * s)
    assert [v.item() for v in (xx, yy, xy)] == pytest.approx(wanted, rel=0.02)


def test_each_picture_has_its_own_window(pictures: torch.Tensor):
    sigma = torch.tensor([0.0, 1.5])
    blurred = filtered(pictures[:2], gaussian(7, sigma, sigma, torch.zeros(2)))
    assert torch.allclose(blurred[0], pictures[0], atol=1e-6)
    assert steepness(blurred[1:]) < 0.7 * steepness(pictures[1:2])


def test_cosines_are_orthonormal():
    assert torch.allclose(cosines() @ cosines().T, torch.eye(8), atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("quality", [20, 60, 90])
def test_jpeg_is_the_codecs(pictures: torch.Tensor, quality: int, mode: str):
    pixels = ((pictures[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()[:30, :27]
    image, file = Image.fromarray(pixels).convert(mode), io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0)
    codec = np.asarray(Image.open(file), dtype=np.float32).reshape(30, 27, -1)
    given = to_tensor(np.asarray(image).reshape(1, 30, 27, -1))
    ours = (compressed(given, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy() + 1) * 127.5
    lost = np.abs(codec - np.asarray(image, dtype=np.float32).reshape(codec.shape)).mean()
    assert np.abs(ours - codec).mean() < max(0.5, 0.1 * lost)


def test_jpeg_costs_more_at_lower_quality(pictures: torch.Tensor):
    errors = [(compressed(pictures, torch.full((8,), q)) - pictures).square().mean() for q in (95.0, 60.0, 20.0)]
    assert errors[0] < errors[1] < errors[2]


def test_bsr_grows_with_its_strength(pictures: torch.Tensor):
    errors = [
        (BSR().apply(pictures, torch.full((8,), s), Noise.per_sample(range(8))) - pictures).square().mean().item()
        for s in (0.2, 0.5, 1.0)
    ]
    assert 0 < errors[0] < errors[1] < errors[2] < 0.1


def test_bsr_draws_another_order_for_each_picture(pictures: torch.Tensor):
    same = pictures[:1].expand(6, -1, -1, -1)
    done = BSR().apply(same, torch.ones(6), Noise.shared(5)).flatten(1)
    assert torch.pdist(done).min() > 0.1


def test_a_resize_comes_back_smoother(pictures: torch.Tensor):
    for down in ("area", "bilinear", "bicubic"):
        back = resized(pictures, 0.5, down, "bilinear")
        assert back.shape == pictures.shape
        assert steepness(back) < steepness(pictures)
    assert resized(pictures, 0.999, "area", "area") is pictures


@pytest.mark.parametrize(
    "make, why",
    [
        (lambda: GaussianBlur(kernel=4), "kernel = 4 px: must be odd"),
        (lambda: GaussianBlur(sigma=0.0), "sigma = 0.0: expected a number above 0"),
        (lambda: GaussianBlur(share=1.5), "share = 1.5"),
        (lambda: BSR(quality=0), "quality = 0"),
        (lambda: BSR(smallest=0.0), "smallest = 0.0"),
    ],
)
def test_refused(make, why: str):
    with pytest.raises(ValueError, match=why):
        make()

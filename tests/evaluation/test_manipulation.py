"""The figures of a study, against what is known of a decoder in closed form and of simple ways."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw
from tests.latents.gaussian import gaussian, picture

from unclip.core.slerp import angle
from unclip.evaluation import manipulation
from unclip.evaluation.guidance_sweep import SEEDS, apart, at_scale, diversity
from unclip.evaluation.suite import generate_for_captions
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.latents.invert import read_source

FEW = Settings(steps=10, guidance=1.0)


@pytest.fixture(scope="module")
def model() -> TextToImage:
    return gaussian()


def pictures(model: TextToImage, *keys: int) -> torch.Tensor:
    return torch.cat([read_source(model, picture(key)).images for key in keys])


def test_inversion_error_falls_with_the_steps(model: TextToImage):
    images = pictures(model, 0, 1, 2)
    few, many = (manipulation.inversion_error(model, images, Settings(steps=steps)).metrics for steps in (4, 16))
    assert many["psnr"]["mean"] > 40
    assert few["psnr"]["mean"] < many["psnr"]["mean"]
    assert few["squared_error"]["mean"] > many["squared_error"]["mean"]
    assert (many["n"], many["psnr"]["error"] >= 0) == (3, True)


@pytest.mark.parametrize("noise", ["slerp", "fixed"])
def test_blends_have_lengths(model: TextToImage, noise: str):
    found = manipulation.interpolation(model, pictures(model, 0, 1), pictures(model, 2, 3), noise, FEW, n=5).metrics
    for space in ("clip", "pixels"):
        metrics = found[space]
        assert len(metrics["profile"]) == 4
        assert sum(place["mean"] for place in metrics["profile"]) / 4 == pytest.approx(
            metrics["mean_ratio"]["mean"], rel=1e-5
        )
        assert 1 - 1e-6 <= metrics["mean_ratio"]["mean"] <= metrics["most_ratio"]["mean"]
        assert metrics["step"]["mean"] <= metrics["longest"]["mean"]


def test_an_even_way_has_ratios_of_one_and_a_jump_shows():
    way = torch.linspace(0, 1, 5)[:, None] * F.normalize(draw(1, 7), dim=1)
    even = manipulation._evenness([((way[1:] - way[:-1]).norm(dim=1), way[-1:].norm(dim=1))]).metrics
    assert even["mean_ratio"]["mean"] == pytest.approx(1, abs=1e-6)
    assert even["most_ratio"]["mean"] == pytest.approx(1, abs=1e-6)
    jump = manipulation._evenness([(torch.tensor([0.0, 0.0, 1.0, 0.0]), torch.tensor([1.0]))]).metrics
    assert jump["mean_ratio"]["mean"] == pytest.approx(1)
    assert jump["most_ratio"]["mean"] == pytest.approx(4)
    assert [place["mean"] for place in jump["profile"]] == pytest.approx([0, 0, 4, 0])


def test_apart_in_closed_form():
    same, right_angles = torch.eye(4)[:1].expand(3, 4), torch.eye(4)[:3]
    assert apart(torch.stack([same, right_angles])).tolist() == pytest.approx([0, 1])
    assert angle(right_angles[:1], right_angles[1:2]).item() == pytest.approx(torch.pi / 2)


def test_a_sweep_has_all_figures(model: TextToImage):
    captions = ["a red heart", "a blue heart", "two cups"]
    one = at_scale(model, pictures(model, 0, 1, 2), captions, Settings(steps=3, guidance=2.0), 0, None)
    assert set(one.metrics) == {"clip_score", "kid", "diversity"}
    assert one.metrics["diversity"]["mean"] > 0
    values = {name: measured.value for name, measured in one.measured.items()}
    score, kid = one.metrics["clip_score"], one.metrics["kid"]["mean"]
    spread = one.metrics["diversity"]["mean"]
    expected = {"CLIP score": score["matched"], "above shuffled": score["gap"], "KID": kid, "diversity": spread}
    assert values == pytest.approx(expected, rel=1e-5)
    found = diversity(model, captions, 0, Settings(steps=3))
    z = model.embed_images(generate_for_captions(model, captions[:1] * SEEDS, 0, Settings(steps=3))).float()
    assert len(found) == 3
    assert found[0].item() == pytest.approx(apart(z[None]).item(), abs=1e-5)  # of one prompt's images alone

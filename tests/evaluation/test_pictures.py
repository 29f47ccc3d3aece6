"""Scores without CLIP: noise is far from images, and a model that knows its classes shows it."""

import pytest
import torch
from tests.fakes import built, draw, learn, tiny_unet

from unclip.core.task import Batch
from unclip.data.shapes.world import World
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.evaluation import pictures
from unclip.generation.ddpm import DDPMPipeline
from unclip.models.ddpm import DDPM, DDPMConfig


def scenes(n: int, seed: int) -> torch.Tensor:
    drawn = [torch.from_numpy(pixels.copy()) for pixels, _, _ in World(32).sample(n, seed)]
    return torch.stack(drawn).permute(0, 3, 1, 2) / 127.5 - 1


def test_noise_is_farther_than_other_pictures_of_the_same_kind():
    a, b = scenes(48, 0), scenes(48, 1)
    noise = draw(48, 3, 32, 32) * a.std() + a.mean()
    gray = torch.full_like(a, float(a.mean()))
    near = pictures.distance(a, b)
    assert abs(near) < 0.1 * pictures.distance(a, noise)
    assert abs(near) < 0.2 * pictures.distance(a, gray)


@pytest.fixture(scope="module")
def model() -> DDPM:
    """Two classes: dark and light images, seen a hundred times."""
    network = tiny_unet(vector_width=2)
    return built(lambda: DDPM(DDPMConfig(network, DiffusionConfig(limit=1.0), size=16, classes=("dark", "light"))))


def shades(n: int, key: str) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n) % 2
    return 0.1 * draw(n, 3, 16, 16, key=key) + (labels - 0.5)[:, None, None, None], labels


def test_a_model_that_knows_its_classes_shows_it(model: DDPM):
    images, labels = shades(32, "held out")
    before = pictures.class_gap(model.eval(), images, labels, 0)
    learn(model, Batch(images=shades(8, "train")[0], labels=shades(8, "train")[1]), steps=60, lr=5e-3)
    after = pictures.class_gap(model, images, labels, 0)
    assert before["gap"] < 3 * before["error"] + 1e-6
    assert after["gap"] > 3 * after["error"] > 0
    assert after["wrong"] - after["right"] == pytest.approx(after["gap"], rel=1e-3)
    assert after["n"] == 32


def test_scores_and_a_look_on_the_way(model: DDPM):
    pipeline = DDPMPipeline(model.eval())
    images, labels = shades(8, "some")
    made = pictures.generate_images(pipeline, labels, 0, pictures.Settings(steps=2))
    scores = pictures.evaluate_images(pipeline, images, labels, made, seed=0)
    assert set(scores) == {"distance", "roughness", "class"}
    assert scores["roughness"]["real"] > 0
    assert pictures.quick(Sampling(1000)).steps == 20
    assert pictures.quick(Sampling(12)).steps is None

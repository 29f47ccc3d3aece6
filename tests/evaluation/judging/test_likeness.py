"""Noise, smears and images of the data's kind, told apart by the shipped judges."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unclip.core.noise import Noise
from unclip.data import World, to_tensor
from unclip.evaluation.judging.likeness import SIDES, Likeness, likeness
from unclip.evaluation.judging.panel import coloured_noise
from unclip.judges.judge import within


def drawn(n: int, seed: int, size: int = 32) -> torch.Tensor:
    return to_tensor(np.stack([image for image, *_ in World(size).sample(n, seed)]))


REAL, TRAIN, OTHERS = drawn(64, 0), drawn(64, 1), drawn(64, 2)


def grainy(images: torch.Tensor, std: float) -> torch.Tensor:
    return (images + std * Noise.shared(3).normal(images.shape)).clamp(-1, 1)


def smeared(images: torch.Tensor) -> torch.Tensor:
    return F.interpolate(F.avg_pool2d(images, 16), scale_factor=16, mode="bilinear")


def test_a_person_ranks_them_so() -> None:
    noise = coloured_noise(REAL, Noise.shared(4))
    ranked = [noise, grainy(OTHERS, 0.4), grainy(OTHERS, 0.05), OTHERS]
    found = [likeness(made, REAL, TRAIN) for made in ranked]
    ways = [each.way for each in found]
    assert ways == sorted(ways) and ways[0] < 0.05 and ways[-1] > 0.9
    assert [each.noise for each in found] == [True, True, False, False]
    assert found[0].expected == "noise or smears" and found[-1].expected == "images of the data's kind"
    assert likeness(smeared(OTHERS), REAL, TRAIN).way < 0.5
    assert "0% of the way" in found[0].said() and set(found[0].metrics) == {"way_supervised", "way_self_supervised"}


@pytest.mark.parametrize("size", [8, 16, 100])
def test_images_of_sides_that_no_judge_sees_are_fitted(size: int) -> None:
    images = drawn(12, 0, 64)
    images = F.interpolate(images, size=(size, size), mode="area")
    side = within(images, *SIDES).shape[-1]
    assert SIDES[0] <= side <= SIDES[1] and (size > SIDES[1]) == (side == SIDES[1])
    assert likeness(images, images, images).way > 0.8


def test_of_data_that_are_noise_nothing_can_be_told() -> None:
    noise = [(0.2 * Noise.shared(seed).normal((24, 3, 32, 32))).clamp(-1, 1) for seed in range(3)]
    found = likeness(noise[0], noise[1], noise[2])
    assert not found.noise and found.expected == "the data cannot be told from noise themselves" == found.said()


def test_gray_images_are_seen() -> None:
    gray = [images.mean(1, keepdim=True) for images in (OTHERS, REAL, TRAIN)]
    assert likeness(gray[0], gray[1], gray[2]).way > 0.9


def test_words() -> None:
    said = [Likeness({"a": way, "b": 1.0}).expected for way in (0.1, 0.4, 0.6, 0.9)]
    assert said == ["noise or smears", "colours at most", "colours and outlines", "images of the data's kind"]

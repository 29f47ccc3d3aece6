"""A model that gives back its training images is caught, also where it mirrors them; another is not accused."""

import numpy as np
import pytest
import torch
from torch import Tensor

from unclip.core.typing import Images
from unclip.data.shapes.world import World
from unclip.evaluation.judging.reference import Reference
from unclip.judges.shipped import load


@pytest.fixture(scope="module")
def images() -> Images:
    """Scenes of several objects, 160 of them, at 16 px."""
    drawn = np.stack([image for image, _, _ in World(counts={3: 1.0}).sample(160, 0)])
    whole = torch.from_numpy(drawn).permute(0, 3, 1, 2) / 127.5 - 1
    return torch.nn.functional.avg_pool2d(whole, whole.shape[-1] // 16)


def reference(images: Images, mirrored: bool = False) -> Reference:
    return Reference(load("supervised"), images[:96].split(40), images[96:128], mirrored)


def grained(images: Tensor) -> Tensor:
    return (images + 0.02 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)


def test_copies_are_told_from_others(images: Images) -> None:
    known = reference(images)
    copied, sound = known.nearness(grained(images[:32])), known.nearness(images[128:])
    assert list(copied) == list(sound) == ["supervised", "pixels"]
    assert all(one.copies.share.value > 0.9 and one.copies.p < 1e-6 and one.ratio < 0.5 for one in copied.values())
    assert all(one.copies.p > 0.01 and 0.6 < one.ratio < 1.6 for one in sound.values())


def test_mirrored_copies_are_seen_where_images_were_mirrored(images: Images) -> None:
    turned = grained(images[:32]).flip(-1)
    plain, mirrored = (reference(images, way).nearness(turned)["pixels"].copies for way in (False, True))
    assert plain.share.value < 0.5 and mirrored.share.value > 0.9


def test_larger_images_are_shrunk_before_they_are_compared(images: Images) -> None:
    large, small = (images.repeat_interleave(n, 2).repeat_interleave(n, 3)[:128] for n in (4, 2))
    a, b = (reference(x).held_out for x in (large, small))
    torch.testing.assert_close(a, b)

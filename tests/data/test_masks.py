"""Masks: of every kind there is something to paint, and the kinds look as they are called."""

import pytest
import torch

from unclip.core.noise import Noise
from unclip.data.masks import MaskConfig, random_masks

NONE = dict.fromkeys(("rectangle", "strokes", "side", "around", "everything"), 0.0)
N, H, W = 300, 24, 32


def only(kind: str) -> torch.Tensor:
    """Holes of one kind."""
    return random_masks(N, H, W, Noise.shared(kind), MaskConfig(**{**NONE, kind: 1.0}))[:, 0] == 0


def boxes(part: torch.Tensor) -> torch.Tensor:
    """Whether each part of an image is a full rectangle."""
    rows, columns = part.any(2), part.any(1)
    return (part == rows[:, :, None] & columns[:, None, :]).all((1, 2))


@pytest.mark.parametrize("kind, minimum, maximum",
                         [("rectangle", 0.05, 0.6), ("strokes", 0.02, 0.5), ("side", 0.1, 0.9),
                                               ("around", 0.35, 0.85), ("everything", 1.0, 1.0)])  # fmt: skip
def test_each_kind_leaves_something_to_paint(kind: str, minimum: float, maximum: float):
    share = only(kind).float().mean((1, 2))
    assert minimum <= share.min() and share.max() <= maximum
    assert kind == "everything" or share.std() > 0.05


def test_rectangles_are_rectangles_and_often_touch_a_border():
    hole, rest = only("rectangle"), ~only("around")
    for box in (hole, rest):
        assert boxes(box).all()
        touches = box[:, 0].any(1) | box[:, -1].any(1) | box[:, :, 0].any(1) | box[:, :, -1].any(1)
        assert 0.3 < touches.float().mean() < 0.9


def test_sides_are_half_planes_and_half_of_them_upright_or_level():
    hole = only("side")
    straight = (hole.any(1) == hole.all(1)).all(1) | (hole.any(2) == hole.all(2)).all(1)
    assert 0.4 < straight.float().mean() < 0.7
    # a half plane holds a corner, and the image without it, too
    for part in (hole, ~hole):
        assert (part[:, 0, 0] | part[:, 0, -1] | part[:, -1, 0] | part[:, -1, -1]).all()
    for side in (hole[straight][:, :, 0], hole[straight][:, :, -1], hole[straight][:, 0], hole[straight][:, -1]):
        assert side.all(1).any()  # each of the four sides is outpainted


def test_a_mask_depends_on_its_own_seed_alone():
    together = random_masks(6, H, W, Noise.per_sample(range(6)))
    assert torch.equal(random_masks(1, H, W, Noise.per_sample([4]))[0], together[4])
    assert len({tuple(mask.flatten().tolist()) for mask in together}) > 3


def test_shares_are_kept():
    masks = random_masks(2000, 8, 8, Noise.shared(0), MaskConfig(0.0, 0.0, 1.0, 0.0, 3.0))
    assert (masks.amax((1, 2, 3)) == 0).float().mean().item() == pytest.approx(0.75, abs=0.04)
    with pytest.raises(ValueError, match=r"rectangle = -0.1"):
        MaskConfig(rectangle=-0.1)
    with pytest.raises(ValueError, match="one must be above 0"):
        MaskConfig(**NONE)

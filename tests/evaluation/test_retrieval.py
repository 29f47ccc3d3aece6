"""Recall both ways and zero-shot accuracy, counted by hand."""

import pytest
import torch

from unclip.data.classes import are_classes
from unclip.evaluation.retrieval import distinct, retrieval, zero_shot

TEXTS = torch.eye(8)
"""Eight captions at right angles: an image's scores are its own numbers."""
RIGHT = [0, 0, 1, 2]
PICTURES = torch.tensor(
    [
        [9.0, 1, 0.5, 0, 0, 0, 0, 0],  # finds caption 0 at once, and caption 0 finds it
        [5.0, 6, 0.5, 0, 0, 0, 0, 0],  # second
        [7.0, 4, 0.5, 0, 0, 0, 0, 0],  # second; caption 1 finds the image above first
        [6.0, 3, 0.0, 1, 2, 3, 4, 5],  # last; caption 2 finds all others first
    ]
)


def test_recall_of_captions_and_of_pictures():
    found = retrieval(PICTURES, TEXTS, RIGHT)
    assert found["r1"] == 1 / 4
    assert found["r5"] == 3 / 4
    assert found["chance"] == 1 / 8
    assert found["error"] == pytest.approx((0.25 * 0.75 / 4) ** 0.5)
    assert found["picture_r1"] == pytest.approx(1 / 3)  # of the three captions that have images
    assert found["picture_r5"] == 1


def test_a_perfect_clip_finds_everything():
    found = retrieval(TEXTS[[0, 1, 1, 2]], TEXTS, [0, 1, 1, 2])
    assert found["r1"] == found["r5"] == found["picture_r1"] == found["picture_r5"] == 1


def test_zero_shot_means_over_classes_too():
    scores = torch.eye(6)[[0, 0, 0, 1, 5]]
    found = zero_shot(scores, torch.eye(6), [0, 0, 0, 2, 5])
    assert found["accuracy"] == pytest.approx(4 / 5)
    assert found["class_mean"] == pytest.approx(2 / 3)  # class 0: 1, class 2: 0, class 5: 1
    assert (found["classes"], found["pictures"], found["chance"]) == (6, 5, 1 / 6)
    assert "top5" in found
    assert "top5" not in zero_shot(scores[:, :5], torch.eye(5), [0, 0, 0, 2, 1])


def test_which_captions_are_classes():
    assert are_classes(["cat", "dog"] * 5)
    assert not are_classes(["cat"] * 5)
    assert not are_classes([f"caption {i}" for i in range(9)])
    assert not are_classes([f"caption {i}" for i in range(1001)] * 3)
    assert distinct(["b", "a", "b"]) == (["b", "a"], [0, 1, 0])

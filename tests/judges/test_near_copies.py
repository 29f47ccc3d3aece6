"""Images that are nearly the same share a number; others do not."""

import numpy as np

from unclip.data import World
from unclip.judges.near_copies import MOST, near_copies


def drawn(n: int, seed: int = 0) -> np.ndarray:
    return np.stack([image for image, *_ in World(32).sample(n, seed)])


def test_a_shift_of_the_colours_is_a_near_copy_and_another_drawing_is_none() -> None:
    images = drawn(60)
    tinted = np.clip(images[:10].astype(int) + np.array([6, 0, -6]), 0, 255).astype(np.uint8)
    every = np.concatenate([images, tinted])
    found = near_copies(every, np.arange(len(every)))
    assert (found[60:] == found[:10]).all()
    assert len(np.unique(found[:60])) > 50


def test_equal_pixels_stay_together() -> None:
    images = drawn(30)
    same = np.arange(30)
    same[7] = 3
    assert (near_copies(images, same)[[3, 7]] == 3).all()


def test_images_that_are_all_alike_are_told_by_their_pixels_alone() -> None:
    rng = np.random.default_rng(0)
    images = np.concatenate([drawn(1).repeat(40, 0), drawn(10, 1)])
    images[:40] ^= rng.integers(2, size=(40, 32, 32, 3), dtype=np.uint8)
    same = np.arange(50)
    assert (near_copies(images, same) == same).all()


def test_too_many_and_too_few_are_told_by_their_pixels_alone() -> None:
    for n in (2, MOST + 1):
        same = np.arange(n)
        assert near_copies(np.zeros((n, 32, 32, 3), dtype=np.uint8), same) is same


def test_many_equal_images_cost_no_more_than_others() -> None:
    images = np.concatenate([drawn(1).repeat(300, 0), drawn(1200, 1)])
    found = near_copies(images, np.arange(1500))
    assert (found[:300] == 0).all() and len(np.unique(found)) > 600

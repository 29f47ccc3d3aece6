"""Batch number n depends on nothing but the seed and n."""

import numpy as np
import pytest
import torch

from unclip.data import loader
from unclip.data.loader import Order, to_pixels, to_tensor


@pytest.mark.parametrize(("n", "batch"), [(10, 3), (7, 7), (3, 8), (1, 4), (100, 1)])
def test_every_epoch_holds_every_row_once(n: int, batch: int) -> None:
    order = Order(n, batch, seed=3)
    rows = np.concatenate([order.indices(step) for step in range(5 * n)])
    assert rows.dtype == np.int64
    for epoch in rows[: len(rows) // n * n].reshape(-1, n):
        assert sorted(epoch) == list(range(n))


def test_resuming_needs_no_state() -> None:
    through = [Order(11, 4, seed=1).indices(step) for step in range(20)]
    loader.permutation.cache_clear()
    assert all((Order(11, 4, seed=1).indices(step) == through[step]).all() for step in (17, 3, 9))


def test_seeds_and_epochs_differ_and_the_order_is_pinned() -> None:
    first = Order(50, 50, seed=0)
    assert (first.indices(0) != first.indices(1)).any()
    assert (first.indices(0) != Order(50, 50, seed=1).indices(0)).any()
    assert Order(8, 8, seed=0).indices(0).tolist() == [
        0,
        2,
        1,
        5,
        4,
        3,
        6,
        7,
    ]  # a changed order would break resumed runs
    Order(8, 8, seed=-1).indices(0)


def test_batches_may_be_changed_by_their_owner() -> None:
    order = Order(8, 4, seed=0)
    before = order.indices(0).copy()
    order.indices(0)[:] = 0
    assert (order.indices(0) == before).all()


def test_impossible_orders() -> None:
    for n, batch in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            Order(n, batch, seed=0)


def test_tensor_and_back() -> None:
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    images.setflags(write=False)
    x = to_tensor(images)
    assert x.shape == (1, 3, 16, 16)
    assert x.is_contiguous()
    assert (x.min(), x.max()) == (-1, 1)
    assert (to_pixels(x) == images).all()
    assert (to_pixels(to_tensor(images) * 3) >= 0).all()
    assert to_pixels(torch.full((1, 3, 1, 1), 7.0)).max() == 255


def test_gray() -> None:
    grays = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert (loader.gray(grays)[..., 0] == grays[..., 0]).all()
    colours = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]], dtype=np.uint8)
    assert loader.gray(colours).ravel().tolist() == [76, 150, 29]  # as Pillow's mode L
    assert to_tensor(loader.select_rows(grays, np.array([0, 0]), 1)).shape == (2, 1, 16, 16)

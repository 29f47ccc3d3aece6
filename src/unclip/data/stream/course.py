"""The order in which training sees the samples of shards, of which only those are counted that it has come to.

Epoch e goes through all shards in an order of its own, a function of (seed, e). Neighbours in that order, until they
hold `MIXED` samples together, are a window, and the samples of a window are shuffled by (seed, e, window).
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unclip.core.noise import derive
from unclip.data.loader import permutation

MIXED = 4096
"""Samples that are shuffled together, at least: whole shards, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Window:
    """Shards whose samples are shuffled together.

    epoch, number: which window. start: the samples of the epoch before it. shards: their numbers; counts: their
    samples. after: how many shards of the epoch lie before its end.
    """

    epoch: int
    number: int
    start: int
    shards: tuple[int, ...]
    counts: tuple[int, ...]
    after: int
    seed: int

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def key(self) -> tuple[int, int]:
        """Which window it is."""
        return self.epoch, self.number

    def sample(self, place: int) -> tuple[int, int]:
        """(shard, row of it) of the sample at a place of the shuffled window."""
        order = permutation(len(self), derive(self.seed, "window", self.epoch), self.number)
        row = int(order[place])
        which = int(np.searchsorted(np.cumsum(self.counts), row, side="right"))
        return self.shards[which], row - sum(self.counts[:which])


class Course:
    """Endless epochs over `shards` shards.

    count: the samples of a shard, asked for in the order of the first epoch, and never for all of them in advance.
    Raises ValueError, when it is asked, where no shard holds a sample.
    """

    def __init__(self, shards: int, count: Callable[[int], int], seed: int) -> None:
        self.shards, self.count, self.seed = shards, count, seed
        self.total: int | None = None  # samples of an epoch, known once the first is over
        self._epoch = _Epoch(self, 0)

    def at(self, position: int) -> tuple[Window, int]:
        """The window, and the place in it, of the sample that is number `position` (from 0) of all epochs."""
        if self.total is None:
            if (found := self._of(0).reach(position)) is not None:
                return found, position - found.start
            self.total = self._epoch.end
            if not self.total:
                raise ValueError(f"the {self.shards:,} shards to train on hold no sample with an image")
        epoch, place = divmod(position, self.total)
        found = self._of(epoch).reach(place)
        assert found is not None, "a shard's count has changed"
        return found, place - found.start

    def next(self, window: Window) -> list[int]:
        """About as many shards as a window has, that come behind this one."""
        order = [*self.order(window.epoch)[window.after :], *self.order(window.epoch + 1)]
        return order[: len(window.shards) + 1]

    def order(self, epoch: int) -> list[int]:
        """The shards in the order of an epoch."""
        return permutation(self.shards, derive(self.seed, "shards"), epoch).tolist()

    def _of(self, epoch: int) -> "_Epoch":
        if self._epoch.number != epoch:
            self._epoch = _Epoch(self, epoch)
        return self._epoch


class _Epoch:
    """The windows of an epoch, as far as it was reached."""

    def __init__(self, course: Course, number: int) -> None:
        self.number, self._course, self._order = number, course, course.order(number)
        self._windows, self._used, self.end = list[Window](), 0, 0

    def reach(self, place: int) -> Window | None:
        """The window that holds a place; None behind the end."""
        while self.end <= place and self._used < len(self._order):
            self._grow()
        if place >= self.end:
            return None
        return self._windows[bisect_right(self._windows, place, key=lambda window: window.start) - 1]

    def _grow(self) -> None:
        shards, counts = list[int](), list[int]()
        while sum(counts) < MIXED and self._used < len(self._order):
            shards.append(self._order[self._used])
            counts.append(self._course.count(shards[-1]))
            self._used += 1
        window = Window(
            self.number, len(self._windows), self.end, tuple(shards), tuple(counts), self._used, self._course.seed
        )
        if len(window):
            self._windows.append(window)
            self.end += len(window)

"""Who waits may look on: each step of a walk from noise to image is told to whoever watches.

A walk does not know what it is part of (a prompt's prior, a decoder, an upsampler, a gate), nor who asked for it; the
command line watches from outside, so that nothing in between has to pass a bar along.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Watch = Callable[[int, int], None]
"""Told (steps done, steps in all) of a walk after each of them."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch) -> Generator[None, None, None]:
    """Tells `watch` of the steps of all walks inside."""
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)


def watched(steps: Iterator[T], total: int) -> Iterator[T]:
    """The same steps, told as they are done."""
    for done, step in enumerate(steps, 1):
        if (watch := _watch.get()) is not None:
            watch(done, total)
        yield step

"""Who waits may look on: each step of a walk from noise to image is told to whoever watches.

A walk does not know what it is part of (a prompt's prior, a decoder, an upsampler, a gate), nor who asked for it; the
command line watches from outside, so that nothing in between has to pass a bar along.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
V = TypeVar("V")
Watch = Callable[[int, int], None]
"""Told (steps done, steps in all) of a walk after each of them."""

Look = Callable[[int, Any], None]
"""Told (number of the step from 1, the step) of the walk that draws images."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)
_look: ContextVar[Look | None] = ContextVar("look", default=None)


@contextmanager
def during(variable: ContextVar[V], value: V) -> Generator[None, None, None]:
    """Inside, the variable has this value."""
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)


@contextmanager
def watching(watch: Watch) -> Generator[None, None, None]:
    """Tells `watch` of the steps of all walks inside."""
    with during(_watch, watch):
        yield


def watched(steps: Iterator[T], total: int) -> Iterator[T]:
    """The same steps, told as they are done."""
    for done, step in enumerate(steps, 1):
        if (watch := _watch.get()) is not None:
            watch(done, total)
        yield step


@contextmanager
def looking(look: Look) -> Generator[None, None, None]:
    """Shows `look` each step of what is drawn inside, for previews."""
    with during(_look, look):
        yield


def last_of(steps: Iterator[T]) -> T:
    """Walks to the end and returns the last step; whoever looks on sees each. Raises ValueError for no steps."""
    last = None
    for number, last in enumerate(steps, 1):
        if (look := _look.get()) is not None:
            look(number, last)
    if last is None:
        raise ValueError("a walk without steps draws nothing")
    return last

"""What is told on stderr while something takes long, where a person looks on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as bars

from unclip.cli.screen.console import ERR, Screen, stderr
from unclip.core.config.duration import words
from unclip.core.watching import watching

Say = Callable[[str], None]
SOON = 1.0
"""Seconds before which nobody guesses how long it takes."""


def column(words: str, style: str = "none") -> bars.TextColumn:
    """A column of a progress bar, its words filled in by `str.format`."""
    return bars.TextColumn(words, style, markup=False)


@contextmanager
def waiting(what: str, console: Screen) -> Iterator[Say]:
    """A line that says what is being done, how far its present walk of steps is, and how long that still takes.

    Yields what changes the words. Nothing is written where stderr is not a terminal. console: where a command tells
    what it did; on a terminal the line stands below that.
    """
    if not ERR.isatty():
        yield lambda what: None
        return
    bar = bars.Progress(
        bars.SpinnerColumn("line"),
        column("{task.description}"),
        bars.BarColumn(20),
        column("{task.fields[step]}", "cyan"),
        console=console if console.is_terminal else stderr(),
        redirect_stdout=console.is_terminal,
        transient=True,
    )
    task, start = bar.add_task(what, total=None, step=""), time.monotonic()

    def watch(done: int, of: int) -> None:
        nonlocal start
        now = time.monotonic()
        if done == 1:
            start = now
        left = (now - start) / max(1, done - 1) * (of - done)
        told = f", {words(left)} left of these" if done > 1 and left > SOON else ""
        bar.update(task, total=of, completed=min(done, of), step=f"step {done:,} of {of:,}{told}")

    with bar, watching(watch):
        yield lambda what: bar.update(task, description=what)

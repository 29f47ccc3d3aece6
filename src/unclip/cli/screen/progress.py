"""A run's events on the screen: one live line in a terminal, a plain line every ten seconds in a log."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from rich import progress as bars
from rich.text import Text

from unclip.cli.errors import FAILED, STOPPED
from unclip.cli.screen.console import Screen, line
from unclip.cli.screen.waiting import column
from unclip.core.config.duration import words
from unclip.core.watching import watching
from unclip.recipes.events import Event, Gate, ImageSaved, Note, Progress, Stopped, Working
from unclip.recipes.settings.recipe import kind_of, models, stages_of

EVERY = 10.0
"""Seconds between two lines of a log."""
KEEP = 0.95
"""How much of the shown loss and speed is from before."""

Show = Callable[[Event], None]
R = TypeVar("R")


class Steady:
    """A moving average that starts as the first value."""

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, x: float) -> float:
        """The average with `x` in it."""
        self.value = x if self.value is None else KEEP * self.value + (1 - KEEP) * x
        return self.value


@dataclass(frozen=True)
class Figures:
    """One moment of the training, as words."""

    stage: str
    step: str
    speed: str
    loss: str
    left: str
    share: float

    def line(self) -> str:
        """All of it that there is."""
        return "  ".join(filter(None, [self.stage, f"{self.share:4.0%}", self.step, self.speed, self.loss, self.left]))


class Reader:
    """Turns `Progress` and `Working` into words, loss and speed averaged within a stage."""

    def __init__(self) -> None:
        self.stage, self.loss, self.seconds_per_image = "", Steady(), Steady()

    def read(self, event: Progress | Working) -> Figures:
        """The event in words."""
        if isinstance(event, Working):
            return Figures(place(event.stage), event.what, "", "", left(event.remaining), event.share)
        if event.stage != self.stage:
            self.stage, self.loss, self.seconds_per_image = event.stage, Steady(), Steady()
        speed = 1 / max(1e-9, self.seconds_per_image.add(1 / max(1e-9, event.report.images_per_s)))
        return Figures(
            stage=place(event.stage),
            step=f"step {event.report.step:,}",
            speed=f"{speed:,.0f} images/s",
            loss=f"loss {self.loss.add(event.report.loss):.4f}",
            left=left(event.remaining),
            share=event.share,
        )


def left(seconds: float) -> str:
    """ "1m05s left"; an estimate that is used up does not stand at 0."""
    return f"{words(seconds)} left" if seconds >= 1 else "finishing"


def place(stage: str) -> str:
    """ "decoder" -> "decoder (3 of 3)"."""
    learned = next((stages for stages in map(stages_of, models()) if stage in stages), ())
    return f"{stage} ({learned.index(stage) + 1} of {len(learned)})" if len(learned) > 1 else stage


def event_line(event: Event) -> Text | None:
    """An event other than Progress and Working as a line."""
    match event:
        case Note(stage, text):
            return line((f"{stage}:", "dim"), f" {text}")
        case ImageSaved(stage, path):
            return line((f"{stage}:", "dim"), f" drew {path}")
        case Gate(stage, True, why):
            return line((f"{stage}: passed", "bold green"), f", {why}")
        case Gate(stage, _, why):
            return line((f"{stage}: failed", "bold red"), f", {why}")
    return None


@contextmanager
def display(console: Screen) -> Iterator[Show]:
    """A function that shows events, in the way that suits where they go."""
    with _live(console) if console.is_terminal else _plain(console) as show:
        yield show


@contextmanager
def _live(console: Screen) -> Iterator[Show]:
    rest = [column(f"{{task.fields[now].{name}}}") for name in ("step", "speed", "loss")]
    shown = [column("{task.fields[now].stage}"), bars.BarColumn(None), column("{task.percentage:>3.0f}%"), *rest]
    left = column("{task.fields[now].left}", "cyan")
    bar = bars.Progress(*shown, left, console=console, expand=True, transient=True)
    now = Figures("data", "", "", "", "", 0.0)
    reader, task = Reader(), bar.add_task("", total=1.0, now=now)

    def show(event: Event) -> None:
        nonlocal now
        if isinstance(event, Progress | Working):
            now = reader.read(event)
            bar.update(task, completed=event.share, now=now)
        elif (text := event_line(event)) is not None:
            bar.console.print(text)

    def watch(done: int, of: int) -> None:
        bar.update(task, now=drawing(now, done, of))

    with bar, watching(watch):
        yield show


def drawing(now: Figures, done: int, of: int) -> Figures:
    """While samples and gates draw, nothing is trained, and no time is left that would run down."""
    return Figures(now.stage, f"drawing, step {done:,} of {of:,}", "", "", "", now.share)


@contextmanager
def _plain(console: Screen) -> Iterator[Show]:
    reader, last, now = Reader(), -EVERY, Figures("data", "", "", "", "", 0.0)

    def tell(metrics: Figures) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            console.print(metrics.line())
            last = time.monotonic()

    def show(event: Event) -> None:
        nonlocal now
        if isinstance(event, Progress | Working):
            now = reader.read(event)
            tell(now)
        elif (text := event_line(event)) is not None:
            console.print(text)

    def watch(done: int, of: int) -> None:
        tell(drawing(now, done, of))

    with watching(watch):
        yield show


def shown(events: Generator[Event, None, R], console: Screen) -> R:
    """Shows work to its end; returns what that gives."""
    with display(console) as show, closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return end.value
            show(event)


def follow(events: Iterable[Event], console: Screen, force: bool = False) -> int:
    """Shows a run to its end; the exit code: 0, 1 after a failed gate (unless `force`), 130 when it was stopped."""
    failed, stopped = list[Gate](), False
    with display(console) as show:
        for event in events:
            show(event)
            stopped = stopped or isinstance(event, Stopped)
            if isinstance(event, Gate) and not event.passed:
                failed.append(event)
    if stopped:
        console.print("stopped; the same command continues")
        return STOPPED
    if failed and not force:
        console.print(_advice(failed[0]))
        return FAILED
    return 0


def _advice(gate: Gate) -> Text:
    stage, longer = gate.stage, "train it on: the same command with --more 30m"
    causes = {
        "clip": "captions that do not tell the images apart, too few pairs, or too little time",
        "prior": "too little time, or too few different captions",
        "ddpm": f"too little time: look at the samples, and {longer}",
        "vae": f"too little time: look at the samples, and {longer}",
        "flow": f"too little time: look at the samples, and {longer}",
        "gan": "too little time, or a collapse: look at the samples and at what the gate says",
        "decoder": f"too little time: look at the samples, and {longer}",
        "inpaint": "too little time, or data whose embeddings tell the decoder what is hidden: look at the samples",
    }
    cause = causes.get(stage, "too little time")
    if gate.metrics.get("skipped") or any(value is None or value != value for value in gate.metrics.values()):
        cause = f"a training that does not hold: a lower learning rate (--set {stage}.train.optim.lr=...)"
    if gate.metrics.get("steps") == 0:
        cause = (
            "it keeps the weights that it began with, and they do not suit these images: look at the samples; "
            f"--set {stage}.frozen=false trains it, too"
        )
    after = "The same command with --force goes on with it as it is; another --out starts anew."
    found = kind_of(stage)
    if found is not None and found[0].added_to:
        after = (
            "It is kept and can be used as it is; the same command with --restart and a larger --budget trains it "
            "again."
        )
    return line((f"The stage {stage} did not pass.", "bold"), f" The usual reasons: {cause}.\n{after}")

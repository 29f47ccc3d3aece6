"""A run's events on the screen: one live line in a terminal, a plain line every ten seconds in a log."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich import progress as bars
from rich.console import Console
from rich.markup import escape

from unclip.cli.duration import words
from unclip.cli.guard import FAILED, STOPPED
from unclip.pipeline.run_folder import ADDED, MODELS
from unclip.recipes.events import Drawn, Event, Gate, Note, Progress, Stopped, Working

EVERY = 10.0
"""Seconds between two lines of a log."""
KEEP = 0.95
"""How much of the shown loss and speed is from before."""

Show = Callable[[Event], None]


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
    """ "decoder" -> "decoder (4 of 4)"."""
    learned = next((stages for stages in MODELS.values() if stage in stages), ())
    return f"{stage} ({learned.index(stage) + 1} of {len(learned)})" if len(learned) > 1 else stage


def told(event: Event) -> str | None:
    """An event other than Progress and Working as a line with rich's markup."""
    match event:
        case Note(stage, text):
            return f"[dim]{stage}:[/] {escape(text)}"
        case Drawn(stage, path):
            return f"[dim]{stage}:[/] drew {escape(str(path))}"
        case Gate(stage, True, why):
            return f"[bold green]{stage}: passed[/], {escape(why)}"
        case Gate(stage, _, why):
            return f"[bold red]{stage}: failed[/], {escape(why)}"
    return None


@contextmanager
def display(console: Console) -> Iterator[Show]:
    """A function that shows events, in the way that suits where they go."""
    if console.is_terminal:
        with _live(console) as show:
            yield show
    else:
        yield _plain(console)


@contextmanager
def _live(console: Console) -> Iterator[Show]:
    columns = ["{task.fields[now].stage}", "{task.percentage:>3.0f}%", "{task.fields[now].step}"]
    columns += ["{task.fields[now].speed}", "{task.fields[now].loss}", "[cyan]{task.fields[now].left}"]
    first, *rest = map(bars.TextColumn, columns)
    bar = bars.Progress(first, bars.BarColumn(None), *rest, console=console, expand=True, transient=True)
    reader, task = Reader(), bar.add_task("", total=1.0, now=Figures("data", "", "", "", "", 0.0))

    def show(event: Event) -> None:
        if isinstance(event, Progress | Working):
            bar.update(task, completed=event.share, now=reader.read(event))
        elif (line := told(event)) is not None:
            bar.console.print(line, highlight=False, soft_wrap=True)

    with bar:
        yield show


def _plain(console: Console) -> Show:
    reader, last = Reader(), -EVERY

    def show(event: Event) -> None:
        nonlocal last
        figures = reader.read(event) if isinstance(event, Progress | Working) else None
        if figures is None and (line := told(event)) is not None:
            console.print(line, highlight=False, soft_wrap=True)
        if figures is not None and time.monotonic() - last >= EVERY:
            console.print(figures.line(), highlight=False, soft_wrap=True, markup=False)
            last = time.monotonic()

    return show


def follow(events: Iterable[Event], console: Console, force: bool = False) -> int:
    """Shows a run to its end; the exit code: 0, 1 after a failed gate (unless `force`), 130 when it was stopped."""
    failed, stopped = list[Gate](), False
    with display(console) as show:
        for event in events:
            show(event)
            stopped = stopped or isinstance(event, Stopped)
            if isinstance(event, Gate) and not event.passed:
                failed.append(event)
    if stopped:
        console.print("stopped; the same command continues", highlight=False)
        return STOPPED
    if failed and not force:
        console.print(_advice(failed[0]), highlight=False, soft_wrap=True)
        return FAILED
    return 0


def _advice(gate: Gate) -> str:
    stage, longer = gate.stage, "train it on: the same command with --more 30m"
    causes = {
        "clip": "captions that do not tell the pictures apart, too few pairs, or too little time",
        "prior": "too little time, or too few different captions",
        "ddpm": f"too little time: look at the samples, and {longer}",
        "decoder": f"too little time: look at the samples, and {longer}",
        "inpaint": "too little time, or data whose embeddings tell the decoder what is hidden: look at the samples",
    }
    cause = causes.get(stage, "too little time")
    if gate.figures.get("skipped") or any(value is None or value != value for value in gate.figures.values()):
        cause = f"a training that does not hold: a lower learning rate (--set {stage}.train.optim.lr=...)"
    after = "The same command with --force goes on with it as it is; another --out starts anew."
    if any(stage in names for names in ADDED.values()):
        after = (
            "It is kept and can be used as it is; the same command with --anew and a larger --budget trains it again."
        )
    return f"[bold]The stage {stage} did not pass.[/] The usual reasons: {cause}.\n{after}"

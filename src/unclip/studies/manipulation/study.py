"""`unclip study`: inversion, interpolation and guidance of a run, measured on held-out pictures, with a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import unclip
from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.lock import hold
from unclip.core.disk.store import to_json
from unclip.data.shapes.world import drawn_world
from unclip.evaluation.guidance_sweep import at_scale
from unclip.evaluation.manipulation import interpolation, inversion_error
from unclip.figures.report import Section, write_report
from unclip.figures.style import available
from unclip.generation.settings import Settings
from unclip.recipes.events import Drawn, Event, Note
from unclip.runs.folder import RunFolder
from unclip.studies.explain.subject import Opened, UnclipSubject, open_run
from unclip.studies.manipulation import page as page


@dataclass(frozen=True)
class Ask:
    """n: held-out pictures (the sweep: captions); pairs: of a blend; steps: of the inversion; scales: of guidance.

    Raises ValueError for numbers that measure nothing.
    """

    what: tuple[str, ...] = ("inversion", "interpolation", "guidance")
    n: int = 32
    pairs: int = 8
    steps: tuple[int, ...] = (50, 250)
    scales: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.what or any(name not in PARTS for name in self.what):
            raise ValueError(f"what = {','.join(self.what)!r}: known are {', '.join(PARTS)}")
        if self.n < 2 or self.pairs < 2:
            raise ValueError(f"n = {self.n}, pairs = {self.pairs}: a standard error needs at least 2")
        if not self.steps or min(self.steps) < 1 or not self.scales or min(self.scales) < 0:
            raise ValueError(f"steps = {self.steps}, scales = {self.scales}: name some, at least 1 and 0")


def study(root: Path, out: Path, ask: Ask) -> Iterator[Event]:
    """Writes study.json, study.html and, with matplotlib, a plot a part into `out`.

    Raises ValueError for a run that is unfinished, without its data, or no text-to-image model, and for an `out` that
    holds what unclip did not make.
    """
    with hold(out, known=RunFolder(out).is_run):
        yield from _study(root, out, ask)


def _study(root: Path, out: Path, ask: Ask) -> Iterator[Event]:
    run = open_run(root)
    if not isinstance(run.subject, UnclipSubject):
        raise ValueError(f"{root}: a plain DDPM has no embeddings of pictures; study a text-to-image run")
    ask = replace(ask, n=min(ask.n, len(run.rows)), pairs=min(ask.pairs, len(run.rows) // 2))
    figures: dict[str, Any] = {}
    sections: list[Section] = []
    for part in ask.what:
        figures[part] = {}
        for name, found in PARTS[part](run, run.subject, ask):
            figures[part][name] = found
            yield Note(part, f"{name}: {page.brief(part, found)}")
        plot = out / f"{part}.png"
        if available():
            page.PLOTS[part](figures[part], plot)
            yield Drawn(part, plot)
        sections.append(page.section(part, figures[part], plot if available() else None, run.note))
    about = {"run": str(root), "model": run.subject.model.hash, "unclip": unclip.__version__, "ask": vars(ask)}
    write_atomic(out / "study.json", to_json({**about, **figures}))
    yield Drawn("study", write_report(out, f"What {root.name} does to pictures", sections, "study.html"))


Found = Iterator[tuple[str, dict[str, Any]]]


def _inversion(run: Opened, subject: UnclipSubject, ask: Ask) -> Found:
    images = subject.images(run.rows[: ask.n].tolist())
    for steps in ask.steps:
        yield f"{steps}", inversion_error(subject.model, images, Settings(steps=steps))


def _interpolation(run: Opened, subject: UnclipSubject, ask: Ask) -> Found:
    rows = run.rows[: 2 * ask.pairs].tolist()
    a, b = subject.images(rows[::2]), subject.images(rows[1::2])
    settings = Settings(steps=min(ask.steps), guidance=1.0)
    for noise in ("slerp", "fixed"):
        yield noise, interpolation(subject.model, a, b, noise, settings, seed=ask.seed)


def _guidance(run: Opened, subject: UnclipSubject, ask: Ask) -> Found:
    yield from _swept(run, subject, ask, [Settings(guidance=scale) for scale in ask.scales])


def _clip_guidance(run: Opened, subject: UnclipSubject, ask: Ask) -> Found:
    yield from _swept(run, subject, ask, [Settings(guidance=1.0, clip=scale) for scale in ask.scales])


def _swept(run: Opened, subject: UnclipSubject, ask: Ask, settings: Sequence[Settings]) -> Found:
    rows = run.rows[: ask.n].tolist()
    images, captions = subject.images(rows), subject.prompts(rows)
    world = drawn_world(run.prepared.report, subject.model.size)
    for scale, how in zip(ask.scales, settings, strict=True):
        yield f"{scale:g}", at_scale(subject.model, images, captions, how, ask.seed, world)


PARTS: dict[str, Callable[[Opened, UnclipSubject, Ask], Found]] = {
    "inversion": _inversion,
    "interpolation": _interpolation,
    "guidance": _guidance,
    "clip-guidance": _clip_guidance,
}
"""What can be studied."""

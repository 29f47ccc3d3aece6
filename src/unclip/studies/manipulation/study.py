"""`unclip study`: inversion, interpolation and guidance of a run, measured on held-out images, with a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import unclip
from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.lock import hold
from unclip.core.disk.store import to_json
from unclip.evaluation.guidance_sweep import at_scale
from unclip.evaluation.manipulation import interpolation, inversion_error
from unclip.evaluation.sets.beside import Setting, beside
from unclip.figures.differences import sentences
from unclip.figures.report import Section, write_report
from unclip.figures.style import available
from unclip.generation.load import called
from unclip.generation.settings import Settings
from unclip.recipes.events import Event, ImageSaved, Note
from unclip.runs.folder import RunFolder
from unclip.studies.explain.subject import OpenedRun, open_run
from unclip.studies.explain.subjects import UnclipSubject
from unclip.studies.manipulation import page as page


@dataclass(frozen=True)
class StudyRequest:
    """n: held-out images (the sweep: captions); pairs: of a blend; steps: of the inversion; scales: of guidance.

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


def study(root: Path, out: Path, ask: StudyRequest) -> Iterator[Event]:
    """Writes study.json, study.html and, with matplotlib, a plot a part into `out`.

    Raises ValueError for a run that is unfinished, without its data, or no text-to-image model, and for an `out` that
    holds what unclip did not make.
    """
    with hold(out, known=RunFolder(out).is_run):
        yield from _study(root, out, ask)


def _study(root: Path, out: Path, ask: StudyRequest) -> Iterator[Event]:
    run = open_run(root)
    if not isinstance(run.subject, UnclipSubject):
        raise ValueError(
            f"{root}: a {called(run.subject.model)} draws from no embeddings of images; study a run of --model unclip"
        )
    ask = replace(ask, n=min(ask.n, len(run.rows)), pairs=min(ask.pairs, len(run.rows) // 2))
    metrics: dict[str, Any] = {}
    paired: dict[str, Any] = {}
    sections: list[Section] = []
    for part in ask.what:
        settings: dict[str, Setting] = {}
        for name, found in PARTS[part](run, run.subject, ask):
            settings[name] = found
            yield Note(part, f"{name}: {page.brief(part, found.metrics)}")
        metrics[part] = {name: found.metrics for name, found in settings.items()}
        paired[part] = beside({name: found.measured for name, found in settings.items()}, ask.seed)
        for line in sentences(paired[part]):
            yield Note(part, line)
        plot = out / f"{part}.png"
        if available():
            page.PLOTS[part](metrics[part], plot)
            yield ImageSaved(part, plot)
        sections += page.sections(part, metrics[part], paired[part], plot if available() else None, run.note)
    about = {"run": str(root), "model": run.subject.model.hash, "unclip": unclip.__version__, "ask": vars(ask)}
    write_atomic(out / "study.json", to_json({**about, **metrics, "paired": paired}))
    yield ImageSaved("study", write_report(out, f"What {root.name} does to images", sections, "study.html"))


Found = Iterator[tuple[str, Setting]]


def _inversion(run: OpenedRun, subject: UnclipSubject, ask: StudyRequest) -> Found:
    images = subject.images(run.rows[: ask.n].tolist())
    for steps in ask.steps:
        yield f"{steps}", inversion_error(subject.model, images, Settings(steps=steps))


def _interpolation(run: OpenedRun, subject: UnclipSubject, ask: StudyRequest) -> Found:
    rows = run.rows[: 2 * ask.pairs].tolist()
    a, b = subject.images(rows[::2]), subject.images(rows[1::2])
    settings = Settings(steps=min(ask.steps), guidance=1.0)
    for noise in ("slerp", "fixed"):
        yield noise, interpolation(subject.model, a, b, noise, settings, seed=ask.seed)


def _guidance(run: OpenedRun, subject: UnclipSubject, ask: StudyRequest) -> Found:
    yield from _swept(run, subject, ask, [Settings(guidance=scale) for scale in ask.scales])


def _clip_guidance(run: OpenedRun, subject: UnclipSubject, ask: StudyRequest) -> Found:
    yield from _swept(run, subject, ask, [Settings(guidance=1.0, clip=scale) for scale in ask.scales])


def _swept(run: OpenedRun, subject: UnclipSubject, ask: StudyRequest, settings: Sequence[Settings]) -> Found:
    rows = run.rows[: ask.n].tolist()
    images, captions = subject.images(rows), subject.prompts(rows)
    for scale, how in zip(ask.scales, settings, strict=True):
        yield f"{scale:g}", at_scale(subject.model, images, captions, how, ask.seed, run.world)


PARTS: dict[str, Callable[[OpenedRun, UnclipSubject, StudyRequest], Found]] = {
    "inversion": _inversion,
    "interpolation": _interpolation,
    "guidance": _guidance,
    "clip-guidance": _clip_guidance,
}
"""What can be studied."""

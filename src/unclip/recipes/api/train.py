"""`unclip.train`: a whole run in one call from Python."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from unclip.core.config.duration import seconds, words
from unclip.core.config.ranges import quote
from unclip.core.signals import stopping
from unclip.data.item import Source
from unclip.recipes import run as recipe
from unclip.recipes.api.data import mirrored, natural_size, open_data
from unclip.recipes.events import Event, Gate
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.changes import leaves, may_change
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.start.asked import Start
from unclip.recipes.start.fits import check_networks
from unclip.recipes.start.origin import check_apart, check_begun
from unclip.recipes.start.settings import check_kind
from unclip.recipes.together import together
from unclip.runs.folder import RunFolder


def train(
    source: str | Path | Source,
    out: str | Path,
    *,
    preset: str | None = None,
    size: int | None = None,
    budget: str | float | None = None,
    start: str | Path | Start | None = None,
    more: str | float | None = None,
    config: RunConfig | None = None,
    force: bool = False,
    on_event: Callable[[Event], object] | None = None,
) -> Path:
    """Trains a model on a data set, or goes on with a run that was begun, and returns the run's folder.

        run = unclip.train("photos", "runs/mine", budget="30m")
        unclip.load(run).generate(["a red cup"])
        unclip.train("photos", run, more="30m")                               # half an hour more, from its end
        unclip.train("holidays", "runs/holidays", start=run, budget="10m")    # a new run, from its weights

    A script that torchrun starts trains by all of its processes; those but the first return when it is over.

    Ctrl-C finishes the step, saves, and raises KeyboardInterrupt; the same call continues. What `on_event` raises ends
    the training in the same way.

    Args:
        source: a path to images, the word "shapes" for drawn ones, or any object that is a `unclip.data.Source`.
        out: the run's folder, a new one or one that a run was begun in.
        preset: a name of `recipes.presets.PRESETS`, as "small", "paper" or "ddpm-fast"; None: "tiny".
        size: the side of the images in pixels; None: what suits the data.
        budget: time for the whole run, as "90s", "30m", "2h", or in seconds; None: the preset's.
        start: a finished run whose trained weights it starts from; sizes and networks are that run's. A `Start` says
            more: small weights beside those (LoRA), or a CLIP that is there already.
        more: for how long a finished run is trained on, each stage from its end.
        config: all settings, in the place of preset, size, budget and start.
        force: goes on after a stage that did not pass.
        on_event: is called with each event (`unclip.recipes.events`): `Note`, `Progress`, `ImageSaved`, `Gate`, ...

    Raises:
        ValueError: for data or settings that cannot work, for others than those that the run was begun with, and after
            a stage that did not pass (unless `force`). What was trained before stays.
    """
    run, longer = RunFolder(Path(out)), _length("more", more)
    begin = start if isinstance(start, Start) else Start(start)
    asked = _Asked(preset, size, _length("budget", budget), begin, config)
    named = str(source) if isinstance(source, str | Path) else type(source).__name__
    with together(run, repr((named, asked, longer, force))) as leads:
        if leads:
            _train(source, run, asked, longer, force, on_event)
    return run.root


def _train(
    source: str | Path | Source,
    run: RunFolder,
    asked: "_Asked",
    longer: float | None,
    force: bool,
    on_event: Callable[[Event], object] | None,
) -> None:
    failed: list[Gate] = []
    with run.writing(), stopping() as stop:
        data, settings = asked.settled(source, run)
        with closing(recipe.train_stages(data, run.root, settings, stop, force, longer)) as events:
            for event in events:
                _tell(event, on_event, events, stop)
                failed += [event] if isinstance(event, Gate) and not event.passed else []
    if stop.is_set():
        raise KeyboardInterrupt
    for gate in failed:
        _judge(gate, run, gate.stage == settings.stages[-1] or force)


def _tell(
    event: Event, on_event: Callable[[Event], object] | None, events: Iterator[Event], stop: threading.Event
) -> None:
    """Calls `on_event`; what it raises goes on after the run has saved what it has."""
    try:
        if on_event is not None:
            on_event(event)
    except BaseException:
        stop.set()
        for _ in events:
            pass
        raise


def _judge(gate: Gate, run: RunFolder, goes_on: bool) -> None:
    """Raises ValueError, or warns where the run `goes_on` with a stage that did not pass."""
    text = f"{run.root}: the stage {gate.stage} did not pass: {gate.why}"
    if not goes_on:
        raise ValueError(f"{text}; more time (budget) helps most often, and force=True goes on with it as it is")
    warnings.warn(text, stacklevel=4)


def _length(name: str, value: str | float | None) -> float | None:
    if value is None:
        return None
    try:
        return seconds(value) if isinstance(value, str) else seconds(f"{value:f}s")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


@dataclass(frozen=True)
class _Asked:
    """What a caller said of the settings; None: nothing. budget: in seconds."""

    preset: str | None
    size: int | None
    budget: float | None
    begin: Start
    config: RunConfig | None

    def __post_init__(self) -> None:
        short = {
            "preset": self.preset,
            "size": self.size,
            "budget": self.budget,
            "start": self.start or self.begin.clip,
        }
        named = [name for name, value in short.items() if value is not None]
        if self.config is not None and named:
            raise ValueError(f"{', '.join(named)}: config says this, too; leave one of them out")
        if self.start is not None and self.preset is not None:
            raise ValueError(f"preset = {quote(self.preset)}: the networks are those of start; leave one of them out")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"preset = {quote(self.preset)}: known are {', '.join(PRESETS)}")

    @property
    def start(self) -> str | None:
        """The run that it starts from."""
        return self.begin.named or None

    def settled(self, source: str | Path | Source, run: RunFolder) -> tuple[Source, RunConfig]:
        """The data, and the settings to train with. Raises ValueError where those of a begun run are others."""
        stored = stored_config(run.settings) if run.begun and run.settings.exists() else None
        if self.start is not None:
            check_apart(self.start, run.root)
            if stored is not None:
                check_begun(stored, self.start, run.root)
        first = self.config or stored or self._started() or PRESETS[self.preset or "tiny"](self.size or 32)
        data = open_data(source, first) if isinstance(source, str | Path) else source
        if not isinstance(data, Source):
            raise ValueError(
                f"source = {quote(data)}: give a path, 'shapes', or an object that is a unclip.data.Source (root, "
                "kind, fingerprint and __iter__)"
            )
        config = self.config or self._fitted(data, first, stored)
        if stored is None:
            check_networks(config)
        else:
            _check_same(stored, config, run)
        return data, config

    def _started(self) -> RunConfig | None:
        """The settings of a run that starts from another, where that was asked for."""
        if self.start is None:
            return None
        check_kind(stored_config(self.begin.origin.settings), self.start, size=self.size)
        return self.begin.settings()

    def _fitted(self, data: Source, first: RunConfig, stored: RunConfig | None) -> RunConfig:
        if stored is not None and self.preset is None:
            size, budget = self.size or stored.size, self.budget or stored.budget
            return replace(stored, size=size, budget=budget)
        if self.start is not None:
            return mirrored(first if self.budget is None else replace(first, budget=self.budget), data)
        make = PRESETS[self.preset or "tiny"]
        captioned = make(32).captioned
        size = self.size or (stored.size if stored else natural_size(data, captioned))
        config = self.begin.with_clip(mirrored(replace(make(size), size=size), data))
        return config if self.budget is None else replace(config.timed(), budget=self.budget)


def _check_same(stored: RunConfig, config: RunConfig, run: RunFolder) -> None:
    """Raises ValueError for a setting that the run was begun with otherwise, and that may not change."""
    has = dict(leaves(stored.to_dict()))
    for path, value in leaves(config.to_dict()):
        if has.get(path) != value and not may_change(path, has.get(path), value):
            before, now = (quote(v) if path != "budget" else words(v or 0.0) for v in (has.get(path), value))
            raise ValueError(
                f"{path} = {now}, but {run.root} was begun with {path} = {before}; leave it out to continue that run, "
                "or name another folder"
            )

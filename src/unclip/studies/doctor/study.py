"""`unclip doctor`: what is in the data, what is thought of it, whether the chain learns, and what a run will take."""

import dataclasses
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unclip.core import machine
from unclip.data.advice import alike
from unclip.data.item import Source
from unclip.data.prepare.rows import Texts
from unclip.data.shapes.world import KIND
from unclip.data.source import notes_of
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.settings import Settings
from unclip.judges.near_copies import groups_of
from unclip.recipes.events import Event, Gate, Note, Stopped, Working
from unclip.recipes.foresight import Passes, opinions, too_long
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.start.fits import Longest, measured
from unclip.runs.folder import RunFolder
from unclip.runs.modules import read_tokenizer
from unclip.studies.doctor import room
from unclip.studies.doctor.chain import Trained, few_rows, only, train_few
from unclip.studies.doctor.forecast import Counts, StageForecast, forecasts, pace_of
from unclip.studies.doctor.learned import DRAWN, Few, seconds_anew
from unclip.studies.doctor.look import Looked, look
from unclip.studies.doctor.selftest import reloaded, verdicts
from unclip.text.tokenizer import Tokenizer

AT_ONCE = 64
"""Images that a gate draws at once."""
ROWS, EACH = 8, 4
"""Captions of a preview, and images of each."""


@dataclass(frozen=True)
class Forecast:
    """What the run will take. images, trained: how many it has, and trains on; parameters: stage -> numbers of its
    model, of all stages; preparation: seconds before the first stage, and between them; total: seconds of the whole;
    memory: bytes at the peak; disk: group -> bytes of its folder; free: bytes."""

    images: int
    trained: int
    parameters: dict[str, int]
    preparation: float
    stages: list[StageForecast]
    total: float
    memory: int | None
    disk: dict[str, int]
    free: int

    @property
    def judging(self) -> float:
        """Seconds for samples and gates."""
        return sum(stage.judging for stage in self.stages)

    @property
    def training(self) -> float:
        """Seconds for steps."""
        return sum(stage.seconds - stage.judging for stage in self.stages)


@dataclass(frozen=True)
class Diagnosis:
    """All that the doctor says. forecast: None where no step was taken."""

    report: dict[str, Any]
    opinions: list[str]
    selftest: list[Gate]
    forecast: Forecast | None

    @property
    def sound(self) -> bool:
        """Whether every part of the chain learned."""
        return bool(self.selftest) and all(gate.passed for gate in self.selftest)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return dataclasses.asdict(self)


def examine(
    source: Source, config: RunConfig, stop: threading.Event, out: Path = Path()
) -> Generator[Event, None, Diagnosis | None]:
    """Looks at the data, trains the chain on a few of them in a temporary folder, and foretells the run.

    out: where the run will lie. Ends with None after `Stopped`. Raises ValueError as a run would for data or settings
    that cannot work.
    """
    machine.prepare_memory()
    with tempfile.TemporaryDirectory(prefix="unclip-doctor-") as place:
        run = RunFolder(Path(place) / "run")
        with run.writing():
            yield Working("data", "looking at the images", 0.0, 0.0)
            try:
                looked = look(source, config, run.data, stop)
            except KeyboardInterrupt:
                yield Stopped("data")
                return None
            said = list(opinions(looked.report, looked.prepared, looked.captions, config))
            said += alike(groups_of(looked.prepared))
            for line in (*looked.lines(), *notes_of(source), *said):
                yield Note("data", line)
            rows = few_rows(looked.prepared, max(r.train.batch for r in config.recipes.values()), config.captioned)
            yield Note(
                "self-test", f"trains {', '.join(config.stages)} on {len(rows)} of the images, in a temporary folder"
            )
            trained = yield from train_few(looked, rows, config, run, stop)
            if stop.is_set():
                yield Stopped("self-test")
                return None
            patient = Patient(looked, config, run, trained, source.kind == KIND)
            return (yield from patient.told(rows, said, out))


@dataclass
class Patient:
    """A self-test that is over, and what it was made of."""

    looked: Looked
    config: RunConfig
    run: RunFolder
    trained: dict[str, Trained]
    drawn: bool

    def told(self, rows: list[int], said: list[str], out: Path) -> Generator[Event, None, Diagnosis]:
        """The verdicts, then further opinions, then the forecast."""
        yield Working("self-test", "drawing", 0.0, 1.0)
        model = reloaded(self.run)
        channels = getattr(getattr(self.config.recipes[self.config.stages[-1]], "network", None), "channels", 3)
        channels = 1 if channels == 1 else 3  # codes have other numbers
        few = Few.of(self.looked.prepared, only(rows, len(self.looked.prepared)).train.tolist(), channels)
        gates, preview = list[Gate](), 0.0
        for gate, took in verdicts(self.trained, model, few, self.config):
            gates.append(gate)
            preview = took or preview
            yield gate
        if model is not None:
            _widest(model)
        anew = seconds_anew(model, few, self.held) if model is not None and preview else 0.0
        forecast = self.foretold(model, (preview, anew), rows, out) if self.trained else None
        for note in self.later(forecast):
            said.append(f"{note.stage}: {note.text}")
            yield note
        return Diagnosis(self.looked.report.as_dict(), said, gates, forecast)

    def later(self, forecast: Forecast | None) -> Iterator[Note]:
        """Opinions that need the tokenizer, or the forecast."""
        if self.run.tokenizer.exists():
            for line in too_long(self._tokenizer(), Texts(self.looked.captions), self.config):
                yield Note("tokenizer", line)
        for stage in forecast.stages if forecast else []:
            for line in Passes.of(self.config, stage.stage, self.counts.trained, self.drawn).opinion(stage.passes):
                yield Note(stage.stage, line)

    def parameters(self) -> dict[str, int]:
        """Of each stage: those that the self-test trained; of one that it did not end with, those of its network."""
        words = self._tokenizer() if self.config.reads_captions else Longest(0, 0)
        return {
            name: seen.parameters
            if (seen := self.trained.get(name)) is not None and seen.parameters
            else measured(self.config, name, words)
            for name in self.config.stages
        }

    def _tokenized(self) -> float:
        """The seconds of reading all captions."""
        began = time.monotonic()
        self._tokenizer().lengths(Texts(self.looked.captions))
        return time.monotonic() - began

    def _tokenizer(self) -> Tokenizer:
        record = self.run.state()["tokenizer"]
        return read_tokenizer(self.run, int(record["metrics"]["context"]), record["sha256"])[0]

    @property
    def counts(self) -> Counts:
        """Of the run to come."""
        return Counts.of(self.looked.images, self.config.held_out)

    @property
    def held(self) -> int:
        """Images of its validation."""
        return (self.counts.images - self.counts.trained) // 2

    def foretold(self, model: ImageModel | None, drawing: tuple[float, float], rows: list[int], out: Path) -> Forecast:
        """The run, from what the self-test took. drawing: seconds of the last stage's images, and of those anew."""
        config, looked, last = self.config, self.looked, self.config.stages[-1]
        counts, held, prepared = self.counts, self.held, len(looked.prepared)
        captions = min(ROWS, held) if isinstance(model, CaptionedModel) else ROWS
        own = {last: (drawing[0] * captions * EACH / DRAWN, drawing[1])}
        paces = {
            name: pace_of(seen, config.recipes[name], *own.get(name, (0.0, 0.0)), held, len(rows) + 2)
            for name, seen in self.trained.items()
        }
        drawn = self.drawn
        stages = list(forecasts(config, counts, paces, self.run.root.parent / "forecast", drawn))
        words = self._tokenized() if config.reads_captions else 0.0
        waits = [seen.setup * (looked.kept / prepared if n else 1.0) for n, seen in enumerate(self.trained.values())]
        preparation = looked.seconds * looked.items + sum(waits) + 2 * words  # the tokenizer learns, then measures them
        preparation += sum(seen.plot for seen in self.trained.values())
        grown = {last: captions / 2} if isinstance(model, CaptionedModel) else {}
        return Forecast(
            images=counts.images,
            trained=counts.trained,
            parameters=self.parameters(),
            preparation=preparation,
            stages=stages,
            total=preparation + sum(stage.seconds for stage in stages),
            memory=room.memory(self.run, looked.kept, prepared, config.size),
            disk=room.disk(self.run, config, stages, looked.kept, prepared, grown),
            free=room.free(out),
        )


def _widest(model: ImageModel) -> None:
    """Draws as many images at once as a gate does, in two steps: for the memory that this takes."""
    named = isinstance(model, CaptionedModel)
    with torch.no_grad():
        for _ in model.steps(["a"] * AT_ONCE if named else [""] * AT_ONCE, range(AT_ONCE), Settings(steps=2)):
            pass

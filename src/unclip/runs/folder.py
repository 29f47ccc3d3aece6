"""Where things lie in a run folder, and which stages of it are finished.

run.toml  state.json  tokenizer.json  clip/  prior/  decoder/    what a text-to-image model is made of
run.toml  state.json  tokenizer.json  clip/  autoencoder/  latent/    of a latent diffusion
run.toml  state.json  ddpm/                                      what a plain DDPM is made of; vae/, flow/, gan/ too
classifier/  ...                                                 what `unclip add` put beside it
lora/                                                            small weights beside those of the run it started from
early/                                                           the stage that draws, after 1/16 of its training
data-128/  ...                                                   its images at another size, for upsamplers
data/  checkpoints/  logs/  samples/  plots/                     what its training left
splits.json                                                      which of its images are held out
priors/                                                          what `unclip compare-priors` found
evaluation/                                                      what `unclip evaluate` found, a folder a split
.unclip                                                          the mark of a folder of unclip's, and its lock
box.json                                                         the run ships with unclip: nothing is written into it

Which stages a run has is read from its run.toml: `stages`, what its model is made of, in order, the last of which draws
its images; `added`, what `unclip add` trained beside it.

run.toml and state.json are changed by whoever holds the lock (`writing`), and read again before they are.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json, read_toml
from unclip.core.disk import atomic, lock, store
from unclip.core.plugins.noted import NOTE
from unclip.core.shown import printable, shell_command
from unclip.data.images.colours import WHITE
from unclip.data.images.square import Look, as_look
from unclip.data.layouts.kinds import CROP
from unclip.data.prepare import splits_file
from unclip.runs.lora import FOLDER
from unclip.runs.records import check_record, records_before

STAGE_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
"""What a stage may be called: its name is that of a folder."""
SEAL = "box.json"
"""The file beside a run that ships with unclip."""
BESIDE = ("data", "tokenizer", "more")
"""Records of state.json that are not stages: the data, the tokenizer, a further training."""


@dataclass(frozen=True)
class RunFolder:
    """Paths below a run's root."""

    root: Path

    @property
    def data(self) -> Path:
        """The prepared images and captions."""
        return self.root / "data"

    @property
    def splits(self) -> Path:
        """Which images are held out, for validation and for the test."""
        return self.root / splits_file.NAME

    @property
    def early(self) -> Path:
        """The stage that draws, as it was after 1/16 of its training."""
        return self.root / "early"

    @property
    def lora(self) -> Path:
        """The small weights of a run that was trained with --lora, a folder a stage."""
        return self.root / FOLDER

    @property
    def checkpoints(self) -> Path:
        """The states of trainings that go on."""
        return self.root / "checkpoints"

    @property
    def logs(self) -> Path:
        """A line a step, for each stage."""
        return self.root / "logs"

    @property
    def samples(self) -> Path:
        """What was drawn on the way."""
        return self.root / "samples"

    @property
    def plots(self) -> Path:
        """The curves of the losses."""
        return self.root / "plots"

    @property
    def priors(self) -> Path:
        """What `unclip compare-priors` found."""
        return self.root / "priors"

    @property
    def plugins(self) -> Path:
        """The code of others that it was trained with."""
        return self.root / NOTE

    @property
    def evaluation(self) -> Path:
        """What `unclip evaluate` found, a folder for each split."""
        return self.root / "evaluation"

    @property
    def settings(self) -> Path:
        """The resolved settings."""
        return self.root / "run.toml"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file."""
        return self.root / "tokenizer.json"

    @property
    def model(self) -> str:
        """What the run trains, as `unclip`. Raises ValueError where its settings are damaged."""
        model = self._set("model", "unclip")
        if not isinstance(model, str):
            raise ValueError(f"{self.settings}: model = {quote(model)}: expected the name of a model, as 'unclip'")
        return model

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of its model, in order. Where run.toml is gone: those that are finished.

        Raises ValueError where the settings are damaged.
        """
        if not self.settings.exists():
            return tuple(name for name in self.state() if name not in BESIDE)
        names = self._names("stages")
        if not names:
            raise ValueError(f"{self.settings}: stages: lists none; restore it, or train again")
        return names

    @property
    def added(self) -> tuple[str, ...]:
        """The stages that were added to it, finished or not. Raises ValueError where the settings are damaged."""
        return self._names("added")

    @property
    def drawing(self) -> str:
        """The stage that draws its images; its early weights are kept, too, for autoguidance.

        Raises ValueError where there is none.
        """
        names = self.stages
        if not names:
            raise ValueError(f"{self.root}: holds no stage")
        return names[-1]

    def _names(self, key: str) -> tuple[str, ...]:
        names = self._set(key, [])
        if not isinstance(names, list) or not all(isinstance(n, str) and STAGE_NAME.fullmatch(n) for n in names):
            raise ValueError(f"{self.settings}: {key} = {quote(names)}: expected a list of names of stages")
        return tuple(names)

    @property
    def look(self) -> Look:
        """How the run's images are seen, and so whatever its model is given. Raises ValueError as `model` does."""
        return as_look(self._set("background", WHITE), self._set("fit", CROP), str(self.settings))

    def _set(self, name: str, default: object) -> object:
        """A setting of run.toml, without the rest; `default` where there is none."""
        if not self.settings.exists():
            return default
        return read_toml(self.settings, "the settings of a run; restore it, or train again").get(name, default)

    @property
    def begun(self) -> bool:
        """Whether something is trained here, or being trained: from then on the settings are kept."""
        return bool(self.state()) or any(self.checkpoints.glob("*/config.json"))

    @property
    def is_run(self) -> bool:
        """Whether the folder holds a run, even where its mark is gone."""
        return self.settings.is_file() and ((self.root / "state.json").is_file() or self.begun)

    @property
    def sealed(self) -> bool:
        """Whether the run ships with unclip, so that nothing is written into it."""
        return (self.root / SEAL).is_file()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, no other process writes into the run; what a killed one left half done is put right.

        Raises ValueError for a folder that is not empty and no run, where another process is at work in it, and for a
        run that ships with unclip.
        """
        if self.sealed:
            raise ValueError(f"{self.root}: ships with unclip, which writes nothing into it; name a run of your own")
        with lock.hold(self.root, known=self.is_run):
            for path in (self.settings, self.root / "state.json", self.tokenizer, self.splits, *self._kept()):
                atomic.recover(path)
            prepared = (self.data, *self.root.glob(f"{self.data.name}-*"))
            for folder in (self.samples, self.plots, self.logs, self.priors, self.plugins, *prepared):
                atomic.sweep(folder)
            yield

    def _kept(self) -> list[Path]:
        """Where its stages are kept, and what they were trained from; nothing where its settings are damaged."""
        try:
            names = (*self.stages, *self.added)
            early = [self.early / self.drawing] if names else []
        except ValueError:  # whoever reads them tells of it
            return []
        checkpoints = [path for name in names for path in self.checkpoint(name)]
        return [*(self.root / name for name in names), *early, *checkpoints]

    def checkpoint(self, stage: str) -> tuple[Path, Path]:
        """Where the last state of a stage's training lies, and the one before it."""
        return self.checkpoints / stage, self.checkpoints / f"{stage}.before"

    def state(self) -> dict[str, Any]:
        """Stage -> {"passed": bool, "why": str, "figures": {...}, "sha256": of its file} for each stage that ended.

        Where the file is gone, what the stages themselves say of how they ended. Raises ValueError where it is damaged.
        """
        path = self.root / "state.json"
        if not path.exists():
            return self._state_of_stages()
        state = read_json(path, "the state of a run; delete it: how the stages ended is read from them again")
        for stage, record in state.items():
            try:
                check_record(record, f"{path}: {printable(stage, 60)}")
            except ValueError as error:
                raise ValueError(f"{error}; delete the file: how the stages ended is read from them again") from error
        return state

    def _state_of_stages(self) -> dict[str, Any]:
        """What each finished stage has beside its weights: how it ended, and what there was before all stages."""
        found: dict[str, Any] = {}
        for stage in (*self.stages, *self.added) if self.settings.exists() else ():
            try:
                extra = store.read_extra(self.root / stage)
                check_record(extra["ended"], stage)
            except (ValueError, KeyError):
                continue
            found = {**records_before(extra), **found, stage: extra["ended"]}
        return found

    def networks(self) -> list[str]:
        """The finished stages of the model, and those added to it."""
        names = (*self.stages, *self.added)
        return [name for name in self.state() if name in names]

    def finish(self, stage: str, record: dict[str, Any]) -> None:
        """Notes how a stage ended."""
        self._change(lambda state: {**state, stage: record})

    def reopen(self, *stages: str, **noted: dict[str, Any]) -> None:
        """Takes the notes of these stages' ends back, so that they are finished again from their checkpoints. noted:
        records that are written in the same step."""
        self._change(lambda state: {k: v for k, v in state.items() if k not in stages} | noted)

    def forget(self, *stages: str) -> None:
        """The same, and takes their checkpoints away, so that they are trained anew."""
        self.reopen(*stages)
        for path in (path for stage in stages for path in self.checkpoint(stage)):
            atomic.remove(path)

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        lock.check_held(self.root)
        with lock.hold(self.root, known=True):
            atomic.write_atomic(self.root / "state.json", json.dumps(change(self.state()), indent=1))

    def require(self) -> None:
        """Raises ValueError that says which stage is missing, or who is training it, for whoever wants to generate."""
        if not self.root.is_dir():
            raise ValueError(
                f"{self.root}: no such run; train one with "
                f"`{shell_command('unclip', 'train', 'DATA', '--out', self.root)}`"
            )
        if not self.settings.exists() and not (self.root / "state.json").exists():
            raise ValueError(
                f"{self.root}: holds no run (no run.toml); name the folder that `unclip train DATA --out RUN` made, "
                "not that of the images"
            )
        state = self.state()
        missing = [name for name in self.stages if name not in state]
        if missing:
            lock.check_unused(self.root)  # whoever trains it will finish it
            raise ValueError(
                f"{self.root}: unfinished, the stage {missing[0]!r} is missing; "
                "run the same `unclip train` command again and it continues"
            )
        if "tokenizer" in state and not self.tokenizer.is_file():
            raise ValueError(
                f"{self.tokenizer}: not found; copy it from the run, or the same `unclip train` command makes it again"
            )

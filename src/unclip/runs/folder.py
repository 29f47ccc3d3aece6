"""Where things lie in a run folder, and which stages of it are finished.

run.toml  state.json  tokenizer.json  clip/  prior/  decoder/    what a text-to-image model is made of
run.toml  state.json  tokenizer.json  clip/  autoencoder/  latent/    of a latent diffusion
run.toml  state.json  ddpm/                                      what a plain DDPM is made of
classifier/  ...                                                 what `unclip add` put beside it (`ADDED`)
early/                                                           the stage that draws, after 1/16 of its training
data-128/  ...                                                   its pictures at another size, for upsamplers
data/  checkpoints/  logs/  samples/  plots/                     what its training left
priors/                                                          what `unclip compare-priors` found
.unclip                                                          the mark of a folder of unclip's, and its lock

run.toml and state.json are changed by whoever holds the lock (`writing`), and read again before they are.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.core.config.ranges import told
from unclip.core.config.tables import read_json, read_toml
from unclip.core.disk import atomic, lock, store
from unclip.core.shown import shown, typed
from unclip.data.images.colours import WHITE
from unclip.runs.records import began, check_record

MODELS: dict[str, tuple[str, ...]] = {
    "unclip": ("tokenizer", "clip", "prior", "decoder"),
    "latent": ("tokenizer", "clip", "autoencoder", "latent"),
    "ddpm": ("ddpm",),
}
"""Model -> what is learned for it, in this order."""
TRAINED: dict[str, tuple[str, ...]] = {m: tuple(s for s in MODELS[m] if s != "tokenizer") for m in MODELS}
"""Model -> its stages that are networks, each a model folder of its own."""
DRAWS: dict[str, str] = {m: stages[-1] for m, stages in MODELS.items()}
"""Model -> the stage that draws its pictures; its early weights are kept, too, for autoguidance."""
UPSAMPLERS = ("upsampler", "upsampler2")
"""The stages that a picture passes after the decoder, in this order, where they were added."""
INPAINTING = {"upsampler": "inpaint_upsampler", "upsampler2": "inpaint_upsampler2"}
"""Upsampler -> the stage that takes its place where a part of the larger picture is known."""
ADDED: dict[str, tuple[str, ...]] = {
    "unclip": (*UPSAMPLERS, "inpaint", *INPAINTING.values(), "noisy_clip", "autoregressive_prior", "contrastive_prior"),
    "latent": (),
    "ddpm": ("classifier",),
}
"""Model -> the stages that `unclip add` can train on a finished run, each a model folder of its own."""
NETWORKS = frozenset(name for table in (TRAINED, ADDED) for stages in table.values() for name in stages)
"""The stages of all models; each is a network, and a model folder of its own."""
BUILDS_ON = {"upsampler2": "upsampler"} | {stage: of for of, stage in INPAINTING.items()}
"""Added stage -> the other added one that it starts from."""

FOLDERS = frozenset(
    ("data", "clip", "prior", "decoder", "ddpm", "early", "checkpoints", "logs", "samples", "plots", "priors")
)
"""What a run's folders are called, each a name of `RunFolder`'s, too."""


@dataclass(frozen=True)
class RunFolder:
    """Paths below a run's root."""

    root: Path

    def __getattr__(self, name: str) -> Path:
        if name in FOLDERS:
            return self.root / name
        raise AttributeError(name)

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
        """What the run trains: a key of `MODELS`. Raises ValueError where its settings are damaged."""
        model = self._set("model", "unclip")
        if not isinstance(model, str) or model not in MODELS:
            raise ValueError(f"{self.settings}: model = {told(model)}: known are {', '.join(MODELS)}")
        return model

    @property
    def background(self) -> str:
        """The colour behind the run's pictures where they are transparent. Raises ValueError as `model` does."""
        return str(self._set("background", WHITE))

    def _set(self, name: str, default: str) -> object:
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

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, no other process writes into the run; what a killed one left half done is put right.

        Raises ValueError for a folder that is not empty and no run, and where another process is at work in it.
        """
        with lock.hold(self.root, known=self.is_run):
            for path in (self.settings, self.root / "state.json", self.tokenizer, *self._stages()):
                atomic.recover(path)
            for folder in (self.samples, self.plots, self.logs, self.priors):
                atomic.sweep(folder)
            yield

    def _stages(self) -> list[Path]:
        """Where the stages of any model are kept."""
        names = NETWORKS
        early = [self.early / name for name in DRAWS.values()]
        kept = [self.checkpoint(name) for name in sorted(names)]
        return [self.root / name for name in sorted(names)] + early + [path for both in kept for path in both]

    def checkpoint(self, stage: str) -> tuple[Path, Path]:
        """Where the last state of a stage's training lies, and the one before it."""
        return self.checkpoints / stage, self.checkpoints / f"{stage}.before"

    def state(self) -> dict[str, Any]:
        """Stage -> {"passed": bool, "why": str, "figures": {...}, "sha256": of its file} for each stage that ended.

        Where the file is gone, what the stages themselves say of how they ended. Raises ValueError where it is damaged.
        """
        path = self.root / "state.json"
        if not path.exists():
            return self._told_by_stages()
        state = read_json(path, "the state of a run; delete it: how the stages ended is read from them again")
        for stage, record in state.items():
            try:
                check_record(record, f"{path}: {shown(stage, 60)}")
            except ValueError as error:
                raise ValueError(f"{error}; delete the file: how the stages ended is read from them again") from error
        return state

    def _told_by_stages(self) -> dict[str, Any]:
        """What each finished stage has beside its weights: how it ended, and what there was before all stages."""
        told: dict[str, Any] = {}
        for stage in (*TRAINED[self.model], *ADDED[self.model]):
            try:
                extra = store.read_extra(self.root / stage)
                check_record(extra["ended"], stage)
            except (ValueError, KeyError):
                continue
            told = {**began(extra), **told, stage: extra["ended"]}
        return told

    def networks(self) -> list[str]:
        """The finished stages, but for what is no network."""
        return [name for name in self.state() if name in NETWORKS]

    def finish(self, stage: str, record: dict[str, Any]) -> None:
        """Notes how a stage ended."""
        self._change(lambda state: {**state, stage: record})

    def reopen(self, *stages: str, **noted: dict[str, Any]) -> None:
        """Takes the notes of these stages' ends back, so that they are finished again from their checkpoints.

        noted: records that are written in the same step.
        """
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
                f"{self.root}: no such run; train one with `{typed('unclip', 'train', 'DATA', '--out', self.root)}`"
            )
        if not self.settings.exists() and not (self.root / "state.json").exists():
            raise ValueError(
                f"{self.root}: holds no run (no run.toml); name the folder that `unclip train DATA --out RUN` made, "
                "not that of the pictures"
            )
        state = self.state()
        missing = [s for s in MODELS[self.model] if s not in state]
        if missing:
            lock.check_unused(self.root)  # whoever trains it will finish it
            raise ValueError(
                f"{self.root}: unfinished, the stage {missing[0]!r} is missing; "
                "run the same `unclip train` command again and it continues"
            )
        if "tokenizer" in MODELS[self.model] and not self.tokenizer.is_file():
            raise ValueError(
                f"{self.tokenizer}: not found; copy it from the run, or the same `unclip train` command makes it again"
            )

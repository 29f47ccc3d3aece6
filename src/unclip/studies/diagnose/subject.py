"""A run as it is diagnosed: finished or not, some of its parts gone or damaged, a few of its images in memory."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from unclip.core import machine
from unclip.core.disk import store
from unclip.core.noise import Noise
from unclip.core.shown import shell_command
from unclip.core.task import Task
from unclip.core.typing import Images, Tensor, Vectors
from unclip.data.loader import to_tensor
from unclip.data.prepare.read import Pictures, Prepared, load_prepared
from unclip.data.prepare.splits import Splits
from unclip.models.autoencoder.model import Autoencoder
from unclip.recipes.context import Context
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.splits import splits_of
from unclip.recipes.stages.base import Stage, build
from unclip.runs.embeddings import data_folder
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log

Line = dict[str, int | float | None]
"""Of a log: figures of one step."""
TRAINING, HELD_OUT = 512, 256
"""Images that a diagnosis looks at, at the most."""


@dataclass
class FewImages(Context):
    """A run with a few of its images, so that nothing has to be embedded or kept for all of them."""

    few: Splits = field(kw_only=True)

    @property
    def splits(self) -> Splits:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.few

    @cached_property
    def embeddings(self) -> Vectors:
        with torch.no_grad():
            return self.clip.embed_images(self.images.to(self.device)).cpu()

    @cached_property
    def latents(self) -> Images:
        with torch.no_grad():
            return self.finished("autoencoder", Autoencoder).encode(self.images.to(self.device)).moments.cpu()

    @cached_property
    def images(self) -> Images:
        """All of them, in [-1, 1]."""
        return to_tensor(self.prepared.images[:])

    def first_captions(self, rows: np.ndarray) -> list[str]:
        """The first caption of each row."""
        return [self.prepared.captions[row][0] for row in rows]


@dataclass
class Subject:
    """A run under diagnosis. context: None where its data are gone, and then `why` says so; images: all there are to
    train on."""

    run: RunFolder
    config: RunConfig
    context: FewImages | None
    why: str
    images: int
    stages: dict[str, Stage[nn.Module]] = field(default_factory=dict)

    def ctx(self) -> FewImages:
        """The run with its images. Raises ValueError where it has none."""
        if self.context is None:
            raise ValueError(self.why)
        return self.context

    def stage(self, name: str) -> Stage[nn.Module]:
        """A stage as it was before its first step. Raises ValueError where what it follows is missing or damaged."""
        if name not in self.stages:
            try:
                self.stages[name] = build(self.ctx(), name)
            except KeyError as error:
                raise ValueError(f"{self.run.root / 'state.json'}: has no record of {error}") from error
        return self.stages[name]

    def weights(self, name: str) -> dict[str, Tensor]:
        """Of a stage that is finished, or else of its last checkpoint, averaged.

        Raises ValueError where there are none.
        """
        if store.exists(self.run.root / name):
            return store.load(self.run.root / name, name).tensors
        return self.checkpoint(name)[1]

    def checkpoint(self, name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """(raw weights, their average) of the last checkpoint. Raises ValueError where there is none."""
        place = self.run.checkpoint(name)[0]
        if not store.exists(place):
            raise ValueError(f"{place}: there is no checkpoint")
        every = store.load(place).tensors
        raw, mean = ({k[len(p) :]: v for k, v in every.items() if k.startswith(p)} for p in ("model.", "ema."))
        return raw, mean

    def log(self, name: str) -> list[Line]:
        """The lines of a stage's log."""
        return list(read_log(self.run.logs / f"{name}.jsonl"))

    def loss(self, name: str, weights: dict[str, Tensor], batches: int = 4) -> float:
        """The training loss of a stage with these weights, over some batches of training images."""
        stage, total = self.stage(name), 0.0
        kept, task = stage.kept(stage.module), stage.module
        assert isinstance(task, Task)
        before = {k: v.clone() for k, v in kept.state_dict().items()}
        fill(kept, weights, self.run.root / name)
        stage.module.eval()
        with torch.no_grad():
            for step in range(batches):
                batch = stage.feed(step).to(torch.device(self.ctx().device))
                total += float(task.loss(batch, Noise.shared(0, "diagnose", step)).total)
        kept.load_state_dict(before)
        return total / batches

    def say(self, *words: object) -> str:
        """A command on this run."""
        return shell_command("unclip", *(str(word) for word in words))

    def again(self, *settings: str) -> str:
        """The command that trains it anew with other settings."""
        given = [word for setting in settings for word in ("--set", setting)]
        return self.say("train", "DATA", "--model", self.config.model, "--out", "ANOTHER", *given)


def fill(module: nn.Module, weights: dict[str, Tensor], place: Path) -> None:
    """Gives a module these weights. Raises ValueError where they do not fit."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{place}: its weights do not fit this run ({str(error).splitlines()[0]})") from error


def open_subject(root: Path) -> Subject:
    """Raises ValueError for a folder that holds no run, or one whose settings are damaged."""
    run = RunFolder(root)
    if not run.settings.exists():
        raise ValueError(f"{root}: holds no run (no run.toml); name the folder that `unclip train DATA --out RUN` made")
    config = stored_config(run.settings)
    try:
        prepared = load_prepared(data_folder(run).data)
        splits = splits_of(run, prepared, config)
    except ValueError as error:
        return Subject(run, config, None, str(error), 0)
    return Subject(run, config, few_images(run, config, prepared, splits), "", len(splits.train))


def few_images(run: RunFolder, config: RunConfig, prepared: Prepared, splits: Splits) -> FewImages:
    """The first training images of a fixed shuffle, and the held-out ones of validation."""
    order = Noise.shared("diagnose").uniform((len(splits.train),)).argsort().numpy()
    train, held = splits.train[order[:TRAINING]], splits.validation[:HELD_OUT]
    rows = np.concatenate([train, held])
    numbers: list[int] = rows.tolist()
    digests, keys = ([values[row] for row in numbers] for values in (prepared.digests, prepared.keys))
    pictures = Pictures(run.data / "images.npy", prepared.images[rows], digests, keys)
    some = Prepared(pictures, [prepared.captions[row] for row in numbers], keys, prepared.report, digests)
    count, empty = len(train), np.arange(0)
    few = Splits(np.arange(count), np.arange(count, len(rows)), empty)
    return FewImages(run, config, some, machine.device(), "float32", few=few)

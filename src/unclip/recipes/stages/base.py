"""What a stage of a run is to the loop that trains it: the same for every stage of every model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import nn

from unclip.core.config.base import Config
from unclip.core.task import Batch
from unclip.recipes.events import Gate
from unclip.training.trainer import TrainConfig


@dataclass
class Stage:
    """A stage ready to train. module: a `Task` with a `config`; share: of the run's time.

    gate: judges the module with its averaged weights. preview: draws with it, where there is something to see early.
    kept: the part of the module that is the model, with a config; the rest is of use to training only.
    gate_previews: how many times as long as a preview the gate takes, about; the budget keeps so much for it.
    """

    name: str
    module: nn.Module
    feed: Callable[[int], Batch]
    train: TrainConfig
    share: float
    gate: Callable[[Any], Gate]
    preview: Callable[[Any], Image.Image] | None = None
    kept: Callable[[Any], nn.Module] = lambda module: module
    gate_previews: float = 4.0

    @property
    def config(self) -> Config:
        """The model's own settings, which are stored beside its weights."""
        config = self.kept(self.module).config
        assert isinstance(config, Config)
        return config

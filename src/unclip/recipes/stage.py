"""What a stage of a run is to the loop that trains it: the same for every stage of every model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import nn

from unclip.core.config import Config
from unclip.core.task import Batch
from unclip.recipes.events import Gate
from unclip.train.trainer import TrainConfig


@dataclass
class Stage:
    """A stage ready to train. module: a `Task` with a `config`; share: of the run's time.

    gate: judges the module with its averaged weights. preview: draws with it, where there is something to see early.
    """

    name: str
    module: nn.Module
    feed: Callable[[int], Batch]
    train: TrainConfig
    share: float
    gate: Callable[[Any], Gate]
    preview: Callable[[Any], Image.Image] | None = None

    @property
    def config(self) -> Config:
        """The module's own settings, which are stored beside its weights."""
        config = self.module.config
        assert isinstance(config, Config)
        return config

"""What a stage of a run is to the loop that trains it: the same for every stage of every model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from unclip.clip.model import CLIP
from unclip.core.task import Batch
from unclip.models.ddpm import DDPM
from unclip.models.decoder import Decoder
from unclip.models.prior import Prior
from unclip.recipes.events import Gate
from unclip.train.trainer import TrainConfig


@dataclass
class Stage:
    """A stage ready to train; share: of the run's time.

    gate: judges the module with its averaged weights. preview: draws with it, where there is something to see early.
    """

    name: str
    module: CLIP | Prior | Decoder | DDPM
    feed: Callable[[int], Batch]
    train: TrainConfig
    share: float
    gate: Callable[[Any], Gate]
    preview: Callable[[Any], Image.Image] | None = None

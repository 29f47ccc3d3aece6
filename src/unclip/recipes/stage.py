"""What a stage of a run is to the loop that trains it: the same for every stage of every model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import nn

from unclip.clip.model import CLIP
from unclip.core.task import Batch
from unclip.models.autoencoder_training import AutoencoderTraining
from unclip.models.ddpm import DDPM
from unclip.models.decoder import Decoder
from unclip.models.latent import LatentDiffusion
from unclip.models.prior import Prior
from unclip.recipes.events import Gate
from unclip.train.trainer import TrainConfig


@dataclass
class Stage:
    """A stage ready to train; share: of the run's time.

    gate: judges the module with its averaged weights. preview: draws with it, where there is something to see early.
    kept: the part of the module that is the model, with a config; the rest is of use to training only.
    """

    name: str
    module: CLIP | Prior | Decoder | AutoencoderTraining | LatentDiffusion | DDPM
    feed: Callable[[int], Batch]
    train: TrainConfig
    share: float
    gate: Callable[[Any], Gate]
    preview: Callable[[Any], Image.Image] | None = None
    kept: Callable[[Any], nn.Module] = lambda module: module

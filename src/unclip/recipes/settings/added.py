"""The settings of the stages that `unclip add` trains on a finished run, but for those of the upsamplers."""

from dataclasses import dataclass, field
from typing import Annotated

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Fraction, Range, Share, Signed, Weight, Widths
from unclip.data.masks import MaskConfig
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class AutoregressivePriorRecipe(Config):
    """explained: share of the embeddings' variance that is kept as codes; the rest as in `AutoregressivePriorConfig`.

    The paper's: buckets = 1024, waves = 1024.
    """

    width: Count = 192
    layers: Depth = 4
    explained: Annotated[float, Range(0, 1, above=True)] = 0.99
    buckets: Annotated[int, Range(2, 65536)] = 256
    waves: Count = 64
    dots: Count = 32
    top: Annotated[float, Range(0, 1, above=True)] = 0.5
    drop_text: Fraction = 0.1
    guidance: Signed = 1.0
    candidates: Annotated[int, Range(1, 1024)] = 1
    share: Share = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class ContrastivePriorRecipe(Config):
    """contrast: weight of the contrastive loss (the paper's lambda)."""

    width: Count = 192
    layers: Depth = 4
    contrast: Weight = 0.2
    share: Share = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class ClassifierRecipe(Config):
    """The noise-aware classifier that can guide a DDPM with classes; it sees the levels that the DDPM is trained on."""

    widths: Widths = (32, 64, 96, 128)
    share: Share = 0.3
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class NoisyCLIPRecipe(Config):
    """The noise-aware CLIP that can guide the decoder; it starts as the run's CLIP and sees the decoder's levels."""

    share: Share = 0.15
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=5e-4, muon_lr=5e-4, decay=0.05)))


@dataclass(frozen=True)
class InpaintRecipe(Config):
    """A stage fine-tuned to paint what is missing, at half its rates. masks: shares of the kinds of holes."""

    masks: MaskConfig = field(default_factory=MaskConfig)
    share: Share = 0.25
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))


def upsampler_inpainting() -> InpaintRecipe:
    """Of an upsampler, in batches of its size."""
    return InpaintRecipe(train=TrainConfig(16, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))

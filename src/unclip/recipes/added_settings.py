"""The settings of the stages that `unclip add` trains on a finished run, but for those of the upsamplers."""

from dataclasses import dataclass, field

from unclip.core.config import Config
from unclip.data.masks import MaskConfig
from unclip.train.optim import OptimConfig
from unclip.train.trainer import TrainConfig


@dataclass(frozen=True)
class AutoregressivePriorRecipe(Config):
    """explained: share of the embeddings' variance that is kept as codes; the rest as in `AutoregressivePriorConfig`.

    The paper's: buckets = 1024, waves = 1024.
    """

    width: int = 192
    layers: int = 4
    explained: float = 0.99
    buckets: int = 256
    waves: int = 64
    dots: int = 32
    top: float = 0.5
    drop_text: float = 0.1
    guidance: float = 1.0
    candidates: int = 1
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class ContrastivePriorRecipe(Config):
    """contrast: weight of the contrastive loss (the paper's lambda)."""

    width: int = 192
    layers: int = 4
    contrast: float = 0.2
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class ClassifierRecipe(Config):
    """The noise-aware classifier that can guide a DDPM with classes; it sees the levels that the DDPM is trained on."""

    widths: tuple[int, ...] = (32, 64, 96, 128)
    share: float = 0.3
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class NoisyCLIPRecipe(Config):
    """The noise-aware CLIP that can guide the decoder; it starts as the run's CLIP and sees the decoder's levels."""

    share: float = 0.15
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=5e-4, muon_lr=5e-4, decay=0.05)))


@dataclass(frozen=True)
class InpaintRecipe(Config):
    """A stage fine-tuned to paint what is missing, at half its rates. masks: shares of the kinds of holes."""

    masks: MaskConfig = field(default_factory=MaskConfig)
    share: float = 0.25
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))


def upsampler_inpainting() -> InpaintRecipe:
    """Of an upsampler, in batches of its size."""
    return InpaintRecipe(train=TrainConfig(16, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))

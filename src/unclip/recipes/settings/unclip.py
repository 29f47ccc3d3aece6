"""The settings of the stages of an unCLIP run."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Fraction, Patch, Range, Share, Steps, Widths
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.models.decoder import decoder_diffusion, decoder_sampling
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class CLIPRecipe(Config):
    """Sizes of both towers; share: of the time budget.

    vision: the image tower, a convolutional stem (vision_stem) or the paper's ViT (vision_patch), which brings the
    paper's text tower and loss with it. form: of the loss; None: sigmoid for the stem, softmax for the ViT.
    """

    width: Count = 128
    form: Literal["softmax", "sigmoid"] | None = None
    text_width: Count = 128
    text_layers: Depth = 3
    vision: Literal["conv", "vit"] = "conv"
    vision_stem: Widths = (32, 64, 128)
    vision_patch: Patch = 8
    vision_width: Count = 192
    vision_layers: Depth = 3
    share: Share = 0.17
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class PriorRecipe(Config):
    """Sizes of the prior's transformer. The paper's prior: scaling "unit", 64 steps; see `PriorConfig`."""

    width: Count = 192
    layers: Depth = 4
    drop_text: Fraction = 0.1
    candidates: Annotated[int, Range(1, 1024)] = 2
    steps: Steps = 32
    scaling: Literal["standardised", "unit"] = "standardised"
    share: Share = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class DecoderRecipe(Config):
    """The decoder. network: any of the family; what follows from CLIP, text and loss (its vector_width, token_width,
    learned_variance) is filled in, and a learned variance is sampled with (`recipes.stages.decoder`).

    text: "clip" starts as a copy of CLIP's tower, which knows the words; "own" from random weights, as the paper's, of
    text_width, text_layers and heads of 64 channels.
    """

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(32, 64), blocks=(1, 4), attention=(False, True))
    )
    text: Literal["clip", "own"] = "clip"
    text_width: Count = 128
    text_layers: Depth = 3
    diffusion: DiffusionConfig = field(default_factory=lambda: decoder_diffusion(0.8, 1.2))
    sampling: Sampling = field(default_factory=decoder_sampling)
    drop_embedding: Fraction = 0.1
    drop_caption: Fraction = 0.5
    image_tokens: Depth = 4
    share: Share = 0.75
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

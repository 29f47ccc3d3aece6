"""The settings of the upsamplers of a run: the first draws on the decoder's pictures, the second on the first's."""

from dataclasses import dataclass, field
from typing import Annotated

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range, Share
from unclip.data.degradation import BSR, Degradation, GaussianBlur
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.models.upsampler import upsampler_diffusion, upsampler_network, upsampler_sampling
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class UpsamplerRecipe(Config):
    """size: side of the larger pictures, px; 0: twice the smaller ones. crop: of the training crops; 0: a quarter of
    the side, but not less than 64. network: without attention, its image_channels and vector_width follow.
    """

    size: Annotated[int, Range(0, 4096)] = 0
    crop: Annotated[int, Range(0, 4096)] = 0
    network: ImageNetworkConfig = field(default_factory=upsampler_network)
    diffusion: DiffusionConfig = field(default_factory=upsampler_diffusion)
    sampling: Sampling = field(default_factory=upsampler_sampling)
    degradation: Degradation = field(default_factory=GaussianBlur)
    share: Share = 0.5
    train: TrainConfig = field(default_factory=lambda: TrainConfig(16, OptimConfig(lr=2e-3, muon_lr=3e-3)))


def second_upsampler() -> UpsamplerRecipe:
    """With BSR degradation, as the paper's second one, and fewer steps than the first."""
    return UpsamplerRecipe(sampling=upsampler_sampling(8), degradation=BSR())

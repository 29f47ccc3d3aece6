"""The settings of the one stage of a plain DDPM's run."""

from dataclasses import dataclass, field

from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Share
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import LogNormal
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


def fast_diffusion() -> DiffusionConfig:
    """EDM preconditioning; levels around log-SNR 1 for the pictures, wide enough for bits/dim: from -10 to 12."""
    return DiffusionConfig(LogNormal(mean=-0.5, std=1.7, s_min=0.0025, s_max=160.0), limit=1.0)


def fast_sampling() -> Sampling:
    """50 ancestral steps; with classes, guidance 3: at 1.5 a briefly trained model shows fewer of them."""
    return Sampling(steps=50, sampler=DDIM(eta=1.0), guidance=ClassifierFree(3.0, limit=1.0))


@dataclass(frozen=True)
class DDPMRecipe(Config):
    """A plain DDPM: pictures alone, or with classes. network: any of the family; its vector_width follows the classes.

    flip: train on mirrored pictures too; wrong where left and right mean something (digits, captions).
    """

    classes: bool = False
    flip: bool = True
    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(48, 96), blocks=(1, 4), attention=(False, True))
    )
    diffusion: DiffusionConfig = field(default_factory=fast_diffusion)
    sampling: Sampling = field(default_factory=fast_sampling)
    drop_class: Fraction = 0.1
    share: Share = 1.0
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

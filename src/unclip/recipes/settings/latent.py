"""The settings of the two stages that a latent diffusion adds to CLIP."""

from dataclasses import dataclass, field

from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Share
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.models.autoencoder.training import AutoencoderLoss
from unclip.models.latent import latent_diffusion, latent_sampling
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class AutoencoderRecipe(Config):
    """Sizes of the autoencoder, the weights of its losses; share: of the time budget."""

    coder: CoderConfig = field(default_factory=CoderConfig)
    loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    share: Share = 0.3
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))


@dataclass(frozen=True)
class LatentRecipe(Config):
    """The diffusion over codes. network: any of the family; channels, vector and token width follow from the rest."""

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=1, widths=(64, 96), blocks=(1, 4), attention=(False, True))
    )
    diffusion: DiffusionConfig = field(default_factory=latent_diffusion)
    sampling: Sampling = field(default_factory=latent_sampling)
    drop_caption: Fraction = 0.1
    share: Share = 0.58
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))


def check_latent(size: int, vision: str, autoencoder: AutoencoderRecipe, latent: LatentRecipe) -> None:
    """Raises ValueError where pictures of `size` px cannot pass through these networks, or where CLIP has no stem of
    convolutions for the perceptual loss to look through."""
    coder, loss, multiple = autoencoder.coder, autoencoder.loss, latent.network.multiple
    if size < 1 or size % (coder.factor * multiple):
        raise ValueError(
            f"size = {size}: the side of a code is 1/{coder.factor} of it, and the latent network needs multiples "
            f"of {multiple} cells; take a multiple of {coder.factor * multiple} px"
        )
    if latent.diffusion.vlb_weight:
        raise ValueError(
            f"latent.diffusion.vlb_weight = {latent.diffusion.vlb_weight}: a learned variance needs the likelihood of "
            "pixels, which codes have not; leave it 0"
        )
    if loss.perceptual and vision != "conv":
        raise ValueError(
            f"clip.vision = {vision!r}: the perceptual loss looks through CLIP's stem of convolutions; take 'conv', or "
            "autoencoder.loss.perceptual = 0"
        )
    if loss.critic_from < 1 and size < loss.critic.smallest:
        raise ValueError(
            f"size = {size}: autoencoder.loss.critic.layers = {loss.critic.layers} needs pictures of "
            f"{loss.critic.smallest} px; take fewer layers, or critic_from = 1 for none"
        )

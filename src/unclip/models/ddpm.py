"""A plain diffusion model of images (DDPM, Ho et al. 2020): no captions; classes where there are some.

The class is a one-hot vector added to the level embedding (Dhariwal & Nichol 2021, section 3.1); the zero vector is no
class, and training hides the class of some images so that one network can do both (classifier-free guidance, Ho &
Salimans 2022, algorithm 1).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Side
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Images
from unclip.diffusion.denoiser import Denoise, within
from unclip.diffusion.guidance import ClassifierFree, Unguided
from unclip.diffusion.parameterization import Eps
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import Ancestral, Step
from unclip.diffusion.schedules import LinearBeta
from unclip.diffusion.weighting import Simple
from unclip.models.classes import NO_CLASS, Labels, check_images, check_names, one_hot
from unclip.models.network import check_network
from unclip.nn.backbones.config import ImageNetworkConfig


def ddpm_diffusion() -> DiffusionConfig:
    """The paper's: T = 1000 linear betas, eps predicted, L_simple (Eq. 14); x0 clamped to [-1, 1] in sampling."""
    return DiffusionConfig(LinearBeta(), Eps(), Simple(), limit=1.0)


def ddpm_sampling() -> Sampling:
    """The paper's: all T steps, Sigma = beta_t I, which its code uses on CIFAR-10."""
    return Sampling(steps=1000, sampler=Ancestral("beta"), guidance=ClassifierFree(1.0, limit=1.0))


@dataclass(frozen=True)
class DDPMOptions(Config):
    """What may be chosen of a DDPM, whatever its images. drop_class: fraction of classes hidden in training."""

    network: ImageNetworkConfig
    diffusion: DiffusionConfig = field(default_factory=ddpm_diffusion)
    sampling: Sampling = field(default_factory=ddpm_sampling)
    drop_class: Fraction = 0.1


@dataclass(frozen=True, kw_only=True)
class DDPMConfig(DDPMOptions):
    """A whole DDPM. size: side of its images, px; classes: their names (none: unconditional).

    Raises ValueError where size or classes do not fit the network.
    """

    size: Side
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        network = self.network
        check_network(network, self.size, self.diffusion)
        if network.vector_width != len(self.classes):
            raise ValueError(
                f"network.vector_width = {network.vector_width}: must be the number of classes, {len(self.classes)}"
            )
        check_names(self.classes)


class DDPM(nn.Module):
    """`Diffusion` over images with an optional class."""

    per_sample = True

    def __init__(self, config: DDPMConfig) -> None:
        super().__init__()
        self.config = config
        self.diffusion = Diffusion(config.network.build(), config.diffusion)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.config.network.channels, self.config.size, self.config.size

    def check(self, images: Images) -> None:
        """Raises ValueError, with the fix, for images of another size or channel count than the model's."""
        check_images(images, self.shape)

    def condition(self, labels: Labels) -> Condition:
        """One-hot vectors; zeros for `NO_CLASS`. Without classes: nothing."""
        if not self.config.classes:
            return Condition()
        return Condition(vector=one_hot(labels, len(self.config.classes)))

    def denoiser(self, labels: Labels, limited: bool = True) -> Denoise:
        """The model as likelihoods see it, classes built in, without guidance; `limited`: x0 clamped as in sampling."""
        plain = Unguided()(self.diffusion.denoiser, self.condition(labels), Condition())
        return within(plain, self.config.diffusion.limit) if limited else plain

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The diffusion loss, the class of a share `drop_class` of the images hidden."""
        assert batch.images is not None
        self.check(batch.images)
        keep = noise.fork("drop").uniform((len(batch.images),)) >= self.config.drop_class
        labels = torch.full_like(keep, NO_CLASS, dtype=torch.long) if batch.labels is None else batch.labels
        cond = self.condition(torch.where(keep, labels, NO_CLASS))
        return Losses(self.diffusion.loss(batch.images, cond, noise).mean())

    def sample(self, labels: Labels, noise: Noise, how: Sampling | None = None) -> Iterator[Step]:
        """An image a label; every step's x0 is a preview in [-1, 1]."""
        cond, null = self.condition(labels), self.condition(torch.full_like(labels, NO_CLASS))
        shape = (len(labels), *self.shape)
        yield from self.diffusion.sample(shape, cond, null, noise, how or self.config.sampling)

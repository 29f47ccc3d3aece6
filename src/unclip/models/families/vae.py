"""The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014) of 8-bit images, with or without classes.

    log p(x|c) >= E_q(z|x,c)[log p(x|z,c)] - KL(q(z|x,c) | N(0, I))        (Kingma & Welling, Eq. 3)

q is a diagonal Gaussian; p(x|z,c) is a discretised logistic of each colour value, its mean and its variance given by
the decoder. The loss is this bound in bits/dim, so that it can be read beside a flow's and a diffusion's.

Free bits (Kingma et al. 2016, Eq. 15): a dimension of z whose KL, averaged over the batch, is below `free_bits` has no
reason to get nearer to the prior, so that no dimension is switched off before the decoder has found a use for it.

A variance of its own for each value has a price: where the decoder is unsure of a colour it says so, and then hardly
learns it (Seitzer et al. 2022). So at first all variances are nearly alike, and they are let go over `FREE` of the run.
"""

import math
from dataclasses import dataclass

import torch

from unclip.core.config.ranges import Weight
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Images, PerSample, Vectors
from unclip.diffusion.likelihood import DiscretisedLogistic
from unclip.models.classes import Labels
from unclip.models.families.base import Encodes, Explains
from unclip.models.families.code import CodeConfig, CodeModel, CodeOptions
from unclip.models.families.importance import bits_by_importance
from unclip.nn.generators.vector import VectorDecoder, VectorEncoder

LEAST, MOST = -11.0, -1.0
"""Log-variance of a colour value: its standard deviation is half a bin at the least, 0.6 at the most."""
EVEN, FREE = -1.5, 0.4
"""The least log-variance at the start of a training, and the share of the run after which it is `LEAST`."""
WIDEST = 8.0
"""|log-variance| of a code at the most."""


@dataclass(frozen=True)
class VAEOptions(CodeOptions):
    """What may be chosen of a VAE.

    Args:
        network: of encoder and decoder, which mirror each other.
        latent: numbers of z.
        free_bits: bits that each of them may hold for nothing; 0: none.
    """

    free_bits: Weight = 0.0


@dataclass(frozen=True, kw_only=True)
class VAEConfig(VAEOptions, CodeConfig):
    """A whole VAE. Raises ValueError where the size does not fit the network."""


@dataclass(frozen=True)
class Gaussian:
    """q(z|x): means and log-variances, [b, d]."""

    mean: Vectors
    log_variance: Vectors

    def kl(self) -> Vectors:
        """KL(q | N(0, I)) of each dimension, nats, [b, d]: (mean^2 + variance - 1 - log variance) / 2."""
        return (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance) / 2

    def sample(self, noise: Noise) -> Vectors:
        """mean + standard deviation N(0, I)."""
        return self.mean + (self.log_variance / 2).exp() * noise.normal(self.mean.shape)

    def log_density(self, z: Vectors) -> PerSample:
        """log q(z), [b]."""
        square = (z - self.mean).square() * (-self.log_variance).exp()
        return -(square + self.log_variance + math.log(2 * math.pi)).sum(1) / 2


class VAE(CodeModel[VAEConfig], Encodes, Explains):
    """A variational autoencoder: loss, bits/dim by the bound or by importance sampling, z -> image and back."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        network, classes = config.network, len(config.classes)
        self.encoder = VectorEncoder(network, config.size, classes, 2 * config.latent)
        self.decoder = VectorDecoder(network, config.size, config.latent, classes, 2 * network.channels)
        self.likelihood = DiscretisedLogistic()
        self.least = LEAST

    def pace(self, share: float) -> None:
        """Lets the variances of the colour values go."""
        self.least = EVEN + min(1.0, share / FREE) * (LEAST - EVEN)

    def posterior(self, images: Images, labels: Labels) -> Gaussian:
        """q(z|x, c)."""
        mean, log_variance = self.encoder(images, self.classes(labels)).float().chunk(2, dim=1)
        return Gaussian(mean, WIDEST * torch.tanh(log_variance / WIDEST))

    def encode(self, images: Images, labels: Labels) -> Vectors:
        """The mean of q(z|x, c)."""
        return self.posterior(images, labels).mean

    def decode(self, z: Vectors, labels: Labels) -> Images:
        """The means of the colour values: what z says, without the grain of p(x|z)."""
        return self._pixels(z, labels)[0].clamp(-1, 1)

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The bound with free bits, bits/dim; parts: what of it is distortion, and the whole rate."""
        images, labels = self.seen(batch)
        q = self.posterior(images, labels)
        unit = math.log(2) * images[0].numel()
        distortion = self._nats(images, q.sample(noise), labels).mean() / unit
        kl = q.kl().mean(0)
        rate = kl.clamp(min=self.config.free_bits * math.log(2)).sum() / unit
        parts = {"distortion": distortion.detach(), "rate": kl.detach().sum() / unit}
        return Losses(distortion + rate, parts)

    def bits(self, images: Images, labels: Labels, noise: Noise, k: int = 1) -> PerSample:
        """By the bound where k = 1 (its KL in closed form), else by k importance samples (IWAE), [b]."""
        self.check(images)
        q = self.posterior(images, labels)
        if k == 1:
            nats = self._nats(images, q.sample(noise), labels) + q.kl().sum(1)
            return nats / (math.log(2) * images[0].numel())

        def log_weight(i: int) -> PerSample:
            z = q.sample(noise.fork(str(i)))
            prior = Gaussian(torch.zeros_like(z), torch.zeros_like(z)).log_density(z)
            return prior - self._nats(images, z, labels) - q.log_density(z)

        return bits_by_importance(log_weight, k, images[0].numel())

    def _pixels(self, z: Vectors, labels: Labels) -> tuple[Images, Images]:
        """Means and log-variances of the colour values."""
        mean, log_variance = self.decoder(z, self.classes(labels)).float().chunk(2, dim=1)
        middle, reach = (MOST + self.least) / 2, (MOST - self.least) / 2
        return mean, middle + reach * torch.tanh((log_variance - middle) / reach)

    def _nats(self, images: Images, z: Vectors, labels: Labels) -> PerSample:
        """-log p(x|z, c) of each image, [b]."""
        return self.likelihood.nats(images, *self._pixels(z, labels)).flatten(1).sum(1)

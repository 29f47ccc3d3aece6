"""A KL autoencoder: images to small codes and back (LDM, Rombach et al. 2022, section 3.1; Kingma & Welling 2014)."""

from dataclasses import dataclass

import torch
from torch import nn

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.nn.autoencoder.coder import CodeDecoder, CodeEncoder, CoderConfig

LIMITS = (-30.0, 20.0)
"""Of the log-variance, so that its exponential stays a number."""


@dataclass(frozen=True)
class Posterior:
    """q(z | x) = N(mean, exp(log_variance)), a Gaussian of its own for each number of the code, [b, c, h, w]."""

    mean: Images
    log_variance: Images

    @classmethod
    def of(cls, moments: Images) -> "Posterior":
        """From mean and log-variance stacked, [b, 2 c, h, w], as the encoder gives them."""
        mean, log_variance = moments.float().chunk(2, dim=1)
        return cls(mean, log_variance.clamp(*LIMITS))

    @property
    def moments(self) -> Images:
        """Mean and log-variance stacked: the inverse of `of`."""
        return torch.cat([self.mean, self.log_variance], dim=1)

    def sample(self, noise: Noise) -> Images:
        """mean + std eps."""
        return self.mean + (self.log_variance / 2).exp() * noise.normal(self.mean.shape)

    def kl(self) -> PerSample:
        """KL(q || N(0, I)) = 1/2 sum(mean^2 + var - 1 - log var), nats an image (Kingma & Welling 2014, app. B)."""
        terms = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return terms.flatten(1).sum(1) / 2


class Autoencoder(nn.Module):
    """Encoder and decoder; takes images of any size that `config.factor` divides."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = CodeEncoder(config), CodeDecoder(config)

    def encode(self, images: Images) -> Posterior:
        """Images in [-1, 1] -> their codes' distribution, a `factor`-th as wide and high.

        Raises ValueError for images of other channels or of a side that the factor does not divide.
        """
        return Posterior.of(self.encoder(images))

    def decode(self, z: Float[Tensor, "b c2 h2 w2"]) -> Images:
        """Codes -> images, about in [-1, 1]."""
        return self.decoder(z)

    def reconstruct(self, images: Images) -> Images:
        """What is left of images in the mean of their codes, clamped to [-1, 1]."""
        return self.decode(self.encode(images).mean).clamp(-1, 1)

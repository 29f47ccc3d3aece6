"""A generative adversarial network (Goodfellow et al. 2014) as R3GAN plays it (Huang et al. 2024): relativistic, R1 +
R2.

    L_D = mean softplus(D(G(z)) - D(x)) + gamma/2 (R1 + R2)     L_G = mean softplus(D(x) - D(G(z)))      (Eq. 2, 7)
    R1 = mean |grad_x D(x)|^2,    R2 = mean |grad_y D(y)|^2 at y = G(z)

A generated image need only be judged more real than the real one beside it, so the critic cannot win by one threshold
for all of them, and modes that are dropped pull back; both penalties together make the game converge (section 2.3).
gamma falls tenfold by a cosine over the first half of the run, as theirs does over its first part.

A GAN has two players, and a trainer here has one loss. Their sum does (`AutoencoderTraining`): L_D sees a detached
copy of the images, and L_G reaches them by its gradient in y alone (`steered`). That gradient is -sigmoid(D(x) -
D(y)) / n times the one that R2 has computed already, so the generator costs no second pass of the critic.

The first player is kept as the model. Where there are few images, both are augmented (`nn.generators.augment`).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Weight
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Images, Vectors
from unclip.models.autoencoder.training import steered
from unclip.models.classes import Labels
from unclip.models.families.code import CodeConfig, CodeModel, CodeOptions
from unclip.nn.generators.augment import augmented
from unclip.nn.generators.critic import Critic
from unclip.nn.generators.vector import VectorCoderConfig, VectorDecoder

FALL = 10.0
"""How many times smaller gamma is from the middle of the run on."""


@dataclass(frozen=True)
class GANOptions(CodeOptions):
    """What may be chosen of a GAN. network: of the generator; latent: numbers of z."""


@dataclass(frozen=True, kw_only=True)
class GANConfig(GANOptions, CodeConfig):
    """A whole GAN as it is kept: its generator. Raises ValueError where the size does not fit the network."""


class GAN(CodeModel[GANConfig]):
    """The generator: z and perhaps a class to an image."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.config = config
        network = config.network
        self.decoder = VectorDecoder(network, config.size, config.latent, len(config.classes), network.channels)

    def decode(self, z: Vectors, labels: Labels) -> Images:
        """The image of z."""
        return self.decoder(z, self.classes(labels)).float()


@dataclass(frozen=True)
class GANLoss(Config):
    """How it is trained.

    Args:
        critic: the critic's network.
        gamma: weight of both gradient penalties at the start.
        augment: whether the critic sees augmented images.
    """

    critic: VectorCoderConfig
    gamma: Weight
    augment: bool


class GANTraining(nn.Module):
    """A generator with the critic that trains it."""

    per_sample = True  # but R1 and R2, means as well
    penalties = ("r1", "r2")

    def __init__(self, config: GANConfig, loss: GANLoss) -> None:
        super().__init__()
        self.weights = loss
        self.generator = GAN(config)
        self.critic = Critic(loss.critic, config.size, len(config.classes))
        self.gamma, self.share = loss.gamma, 0.0

    def pace(self, share: float) -> None:
        """gamma, by a cosine from the whole to a tenth over the first half of the run."""
        self.share = share
        way = (1 - math.cos(math.pi * min(1.0, 2 * share))) / 2
        self.gamma = self.weights.gamma * (1 + way * (1 / FALL - 1))

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The sum of both players' losses. Needs images."""
        x, labels = self.generator.seen(batch)
        y = self.generator.decode(noise.normal((len(x), self.generator.latent)), labels)
        both = torch.cat([x, y.detach()]).requires_grad_()
        seen = augmented(both, noise.fork("augment")) if self.weights.augment else both
        verdict = self.critic(seen, self.generator.classes(torch.cat([labels, labels])))
        (slope,) = torch.autograd.grad(verdict.sum(), both, create_graph=True)
        r1, r2 = slope.square().flatten(1).sum(1).chunk(2)
        real, made = verdict.chunk(2)
        critic = F.softplus(made - real).mean() + self.gamma / 2 * (r1.mean() + r2.mean())
        pull = -torch.sigmoid(real - made)[:, None, None, None] * slope[len(x) :] / len(x)
        fool = steered(y, pull.detach(), F.softplus(real - made).mean().detach())
        figures = {"real": real, "made": made, "r1": r1, "r2": r2}
        parts = {"critic": critic.detach(), "generator": fool.detach()}
        return Losses(critic + fool, parts | {name: value.detach().mean() for name, value in figures.items()})

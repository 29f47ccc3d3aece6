"""How the autoencoder is trained: to repeat images, to look like them, and to convince a critic.

    L = L_rec + kl KL + [lambda adversarial L_adv + L_critic, once the critic has entered]

    L_rec    = r / exp(s) + s,  r = |x - y| + perceptual d(x, y),  s the log-scale of a Laplace error: 0, or learned
    L_adv    = -mean D(y)
    L_critic = (mean max(0, 1 - D(x)) + mean max(0, 1 + D(y))) / 2              (hinge; Lim & Ye 2017)
    lambda   = |grad L_rec| / (|grad L_adv| + 1e-6), of the decoder's last layer   (VQGAN, Esser et al. 2021, Eq. 7)

Means over pixels (LDM's code sums and divides by the batch; the ratio of the parts is the same), nats a pixel for KL.

In a share `equivariance` of the steps codes and image are mirrored, or both halved in side, before z is decoded, so
that codes are pictures of their picture: smooth where it is smooth, and easier to denoise (EQ-VAE, Kouzelis et al.
2025; rotations are left out).

A GAN has two players, and a trainer here has one loss. Both fit into it: L_adv reaches the autoencoder through the
images alone (`steered`), L_critic reaches the critic alone because it sees a detached copy, so that one backward of
the sum trains each by its own.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core import processes
from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Weight
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Images, Tensor
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.autoencoder.perceptual import Perceptual
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.autoencoder.patch_critic import PatchCritic, PatchCriticConfig

Scalar = Float[Tensor, ""]
Codes = Float[Tensor, "b c2 h2 w2"]
HEAVIEST = 1e4
"""Largest lambda."""


@dataclass(frozen=True)
class AutoencoderLoss(Config):
    """Weights of the parts; critic_from: share of the run after which the critic enters, at 1 never; equivariance:
    share of the steps in which a mirrored or halved code must decode to the mirrored or halved image.

    The defaults are those of LDM's KL autoencoders, but for critic_from, which is a step number there.
    """

    kl: Weight = 1e-6
    perceptual: Weight = 1.0
    adversarial: Weight = 0.5
    critic_from: Fraction = 0.5
    learn_scale: bool = False
    equivariance: Fraction = 0.0
    critic: PatchCriticConfig = field(default_factory=PatchCriticConfig)


class AutoencoderTraining(nn.Module):
    """An autoencoder with what only its training needs. eyes: the frozen feature net; None: pixels alone."""

    per_sample = True  # but lambda, which each share of a batch estimates for itself

    def __init__(self, config: CoderConfig, loss: AutoencoderLoss, eyes: Perceptual | None = None) -> None:
        super().__init__()
        self.weights = loss
        self.autoencoder = Autoencoder(config)
        self.critic = PatchCritic(loss.critic)
        self.log_scale = nn.Parameter(torch.zeros(()), requires_grad=loss.learn_scale)
        self.eyes = (eyes,)  # in a tuple, so that its weights are neither trained, averaged nor stored with ours
        self.judging = False

    def pace(self, share: float) -> None:
        """Lets the critic in when its share of the run has come."""
        self.judging = share >= self.weights.critic_from and self.weights.critic_from < 1

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The sum of both players' losses. Needs images."""
        assert batch.images is not None
        x = batch.images
        posterior = self.autoencoder.encode(x)
        x, z = self._seen_otherwise(x, posterior.sample(noise), noise)
        y = self.autoencoder.decode(z)
        error, seen = (x - y).abs().mean(), self._seen(x, y)
        rec = (error + self.weights.perceptual * seen) * torch.exp(-self.log_scale) + self.log_scale
        kl = posterior.kl().mean() / batch.images[0].numel()
        total = rec + self.weights.kl * kl
        parts = {"pixels": error.detach(), "perceptual": seen.detach(), "kl": kl.detach()}
        if self.judging and self.weights.adversarial:
            against = self._against(x, y, rec)
            return Losses(total + against.total, {**parts, **against.parts})
        return Losses(total, parts)

    def _seen_otherwise(self, x: Images, z: Codes, noise: Noise) -> tuple[Tensor, Tensor]:
        """Images and codes as they are, or both mirrored, or both halved."""
        if not self.weights.equivariance:
            return x, z
        u = noise.fork("equivariance").uniform((1,), common=True).item() / self.weights.equivariance
        if u < 0.5 and z.shape[-1] % 2 == 0:
            return F.avg_pool2d(x, 2), F.avg_pool2d(z, 2)
        return (x.flip(-1), z.flip(-1)) if u < 1 else (x, z)

    def _seen(self, x: Images, y: Images) -> Scalar:
        eyes = self.eyes[0]
        return x.new_zeros(()) if eyes is None or not self.weights.perceptual else eyes(x, y).mean()

    def _against(self, x: Images, y: Images, rec: Scalar) -> Losses:
        """lambda adversarial L_adv for the autoencoder + L_critic for the critic."""
        copy = y.detach().requires_grad_()
        real, made = self.critic(torch.cat([x, copy])).chunk(2)
        (pull,) = torch.autograd.grad(-made.mean(), copy, retain_graph=True)
        weight = balance(rec, y, pull, self.autoencoder.decoder.last.weight)
        critic = (F.relu(1 - real).mean() + F.relu(1 + made).mean()) / 2
        fool = steered(y, pull, -made.mean().detach())
        parts = {"real": real.detach().mean(), "made": made.detach().mean(), "balance": weight.detach()}
        return Losses(weight * self.weights.adversarial * fool + critic, parts)


def steered(y: Images, gradient: Images, value: Scalar) -> Scalar:
    """A loss of this value whose gradient in y is `gradient`, and that depends on nothing else.

    How a loss of a network D reaches what made D's input without reaching D, and without running D a second time.
    """
    through = (y * gradient).sum()
    return value + through - through.detach()


def balance(rec: Scalar, y: Images, pull: Images, last: Tensor) -> Scalar:
    """lambda; pull: the gradient of L_adv in y; last: the weight of the layer that gives y."""
    (wanted,) = torch.autograd.grad(rec, last, retain_graph=True)
    (pulled,) = torch.autograd.grad(y, last, pull, retain_graph=True)
    wanted, pulled = processes.averaged(wanted), processes.averaged(pulled)  # those of the whole batch
    return (wanted.norm() / (pulled.norm() + 1e-6)).clamp(0, HEAVIEST).detach()

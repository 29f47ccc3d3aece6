"""Weights of an error at the levels that training draws, in eps space.

Simple     1                          L_simple (DDPM, Eq. 14)
PlainX0    1/SNR                      the plain squared error of x0
MinSNR     min(SNR, gamma)/SNR        Hang et al. 2023
P2         1/(k + SNR)^gamma          Choi et al. 2022
EDMWeight  1 + 1/(SNR s^2)            Karras et al. 2022, Eq. 8: unit weight on EDM's F
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.config.ranges import Positive, Weight
from unclip.core.typing import LogSNR
from unclip.diffusion.weighting.base import Weighting


@dataclass(frozen=True)
class Simple(Weighting):
    """L_simple."""

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.ones_like(log_snr)


@dataclass(frozen=True)
class PlainX0(Weighting):
    """The plain squared error of x0."""

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.exp(-log_snr)


@dataclass(frozen=True)
class MinSNR(Weighting):
    """min(SNR, gamma) on x0."""

    gamma: Positive = 5.0

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.clamp(self.gamma * torch.exp(-log_snr), max=1.0)


@dataclass(frozen=True)
class P2(Weighting):
    """Less weight on the clean levels, where nothing but imperceptible detail is left to learn."""

    k: Positive = 1.0
    gamma: Weight = 1.0

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return (self.k + torch.exp(log_snr)) ** -self.gamma


@dataclass(frozen=True)
class EDMWeight(Weighting):
    """lambda(sigma) = (sigma^2 + s^2)/(sigma s)^2 on x0 (Karras et al. 2022, Eq. 8), in eps space."""

    sigma_data: Positive = 0.5

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return 1 + torch.exp(-log_snr) / self.sigma_data**2

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
    """DDPM's L_simple (Ho et al. 2020, Eq. 14): every error of eps weighs 1."""

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.ones_like(log_snr)


@dataclass(frozen=True)
class PlainX0(Weighting):
    """The plain squared error of x0; in eps space, the weight is 1/SNR."""

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.exp(-log_snr)


@dataclass(frozen=True)
class MinSNR(Weighting):
    """The squared error of x0 weighted by min(SNR, gamma) (Hang et al. 2023).

    Args:
        gamma: the largest weight.
    """

    gamma: Positive = 5.0

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.clamp(self.gamma * torch.exp(-log_snr), max=1.0)


@dataclass(frozen=True)
class P2(Weighting):
    """P2 weighting, 1/(k + SNR)^gamma (Choi et al. 2022): less weight on clean levels, which hold only fine detail.

    Args:
        k: keeps the weight finite at SNR 0.
        gamma: how strongly clean levels lose weight; 0: `Simple`.
    """

    k: Positive = 1.0
    gamma: Weight = 1.0

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return (self.k + torch.exp(log_snr)) ** -self.gamma


@dataclass(frozen=True)
class EDMWeight(Weighting):
    """EDM's weight (Karras et al. 2022, Eq. 8): (sigma^2 + s^2)/(sigma s)^2 on x0, which is 1 on EDM's own output.

    Args:
        sigma_data: s, the standard deviation of the data.
    """

    sigma_data: Positive = 0.5

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return 1 + torch.exp(-log_snr) / self.sigma_data**2

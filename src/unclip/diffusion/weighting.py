"""Loss weights, stated once in eps space: loss = w(l) |eps - eps_hat|^2.

Simple: 1 (L_simple, DDPM Eq. 14)    PlainX0: 1/SNR (plain MSE on x0)
MinSNR: min(SNR, gamma)/SNR (Hang et al. 2023)    EDMWeight: 1 + 1/(SNR s^2) (unit weight on EDM's F)
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.config import Config
from unclip.core.typing import LogSNR


class Weighting(Config, ABC):
    """Base of all weightings."""

    @abstractmethod
    def __call__(self, log_snr: LogSNR) -> Tensor:
        """The weight of the squared error of eps at these levels."""


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

    gamma: float = 5.0

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.clamp(self.gamma * torch.exp(-log_snr), max=1.0)


@dataclass(frozen=True)
class EDMWeight(Weighting):
    """lambda(sigma) = (sigma^2 + s^2)/(sigma s)^2 on x0 (Karras et al. 2022, Eq. 8), in eps space."""

    sigma_data: float = 0.5

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return 1 + torch.exp(-log_snr) / self.sigma_data**2

"""What the network's output F means: x0 = c_skip x + c_out F, one method from log-SNR to (c_skip, c_out).

The training target follows from it: (x0 - c_skip x) / c_out. With alpha, sigma of `level`:

    x0: (0, 1)    eps: (1/alpha, -sigma/alpha)    v: (alpha, -sigma)  (Salimans & Ho 2022)
    Flow (Lipman et al. 2023, Liu et al. 2022a), u = eps - x0: (1/(alpha + sigma), -sigma/(alpha + sigma))
    EDM (Karras et al. 2022, table 1), s = sigma_data, d = alpha^2 s^2 + sigma^2: (alpha s^2/d, s sigma/sqrt d)
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Positive
from unclip.core.typing import LogSNR
from unclip.diffusion.level import alpha, sigma


class Parameterization(Config, ABC):
    """The base class of all parameterisations: what the network's output F means, x0 = c_skip x + c_out F.

    One of your own defines `scalings`; the training target is solved from it.
    """

    @abstractmethod
    def scalings(self, log_snr: LogSNR) -> tuple[Tensor, Tensor]:
        """The factors (c_skip, c_out) at these levels, each of the shape of `log_snr`."""

    def input_scale(self, log_snr: LogSNR) -> Tensor:
        """The factor c_in by which the state is multiplied before the network sees it; 1 by default."""
        return torch.ones_like(log_snr)

    def check(self, noisiest: LogSNR) -> None:
        """Raises ValueError where the network's output says nothing about x0 at the noisiest level.

        So does eps at zero terminal SNR (log-SNR -29 here): x0 = (x - sigma eps)/alpha multiplies its error by 1/alpha
        = 2e6.
        """
        gain = self.scalings(noisiest)[1].abs().item()
        if gain > 1e6:
            raise ValueError(f"parameterization = {self}: at log-SNR {noisiest.item():.3g}, where sampling begins, "
                             f"x0 would be {gain:.0e} times the network's error; take V, X0 or EDM")  # fmt: skip


@dataclass(frozen=True)
class X0(Parameterization):
    """The network predicts the clean sample (unCLIP's prior, section 2.2)."""

    def scalings(self, log_snr: LogSNR) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(log_snr), torch.ones_like(log_snr)


@dataclass(frozen=True)
class Eps(Parameterization):
    """The network predicts the noise (DDPM, Eq. 11-12)."""

    def scalings(self, log_snr: LogSNR) -> tuple[Tensor, Tensor]:
        return 1 / alpha(log_snr), -torch.exp(-log_snr / 2)


@dataclass(frozen=True)
class V(Parameterization):
    """The network predicts the velocity v = alpha eps - sigma x0 (Salimans & Ho 2022)."""

    def scalings(self, log_snr: LogSNR) -> tuple[Tensor, Tensor]:
        return alpha(log_snr), -sigma(log_snr)


@dataclass(frozen=True)
class Flow(Parameterization):
    """The network predicts the velocity u = eps - x0 of flow matching and sees the state of flow matching.

    With flow time t = sigma/(alpha + sigma) that state is x' = (1 - t) x0 + t eps = x/(alpha + sigma), and
    x0 = x' - t u. So a flow-matching network works here as it is, at log-SNR 2 log((1 - t)/t).
    """

    def scalings(self, log_snr: LogSNR) -> tuple[Tensor, Tensor]:
        total = alpha(log_snr) + sigma(log_snr)
        return 1 / total, -sigma(log_snr) / total

    def input_scale(self, log_snr: LogSNR) -> Tensor:
        return 1 / (alpha(log_snr) + sigma(log_snr))


@dataclass(frozen=True)
class EDM(Parameterization):
    """EDM's preconditioning (Karras et al. 2022, table 1): input and target have unit variance at every level.

    Args:
        sigma_data: the standard deviation of the data.
    """

    sigma_data: Positive = 0.5

    def scalings(self, log_snr: LogSNR) -> tuple[Tensor, Tensor]:
        d, s = self._variance(log_snr), self.sigma_data
        return alpha(log_snr) * s**2 / d, s * sigma(log_snr) / d.sqrt()

    def input_scale(self, log_snr: LogSNR) -> Tensor:
        return self._variance(log_snr).rsqrt()

    def _variance(self, log_snr: LogSNR) -> Tensor:
        return torch.sigmoid(log_snr) * self.sigma_data**2 + torch.sigmoid(-log_snr)

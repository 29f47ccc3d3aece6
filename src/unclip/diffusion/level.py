"""Noise levels: x = alpha x0 + sigma eps with alpha^2 = sigmoid(l), sigma^2 = sigmoid(-l), l the log-SNR.

Variance preserving (DDPM, Ho et al. 2020, Eq. 4, with alpha^2 = alpha-bar). Everything is computed from l, so that
both ends stay exact in float32.
"""

import torch
from torch import Tensor

from unclip.core.typing import LogSNR, State

FAINT = -20.0
"""Log-SNR below which a state is noise, to any number of digits that anybody looks at."""
LOWEST = -30.0
"""Log-SNR below what `resolvable` gives."""


def alpha(log_snr: LogSNR) -> Tensor:
    """The factor of the clean signal in x = alpha x0 + sigma eps: sqrt(sigmoid(log_snr)), of the shape of `log_snr`."""
    return torch.sigmoid(log_snr).sqrt()


def sigma(log_snr: LogSNR) -> Tensor:
    """The factor of the noise in x = alpha x0 + sigma eps: sqrt(sigmoid(-log_snr)), of the shape of `log_snr`."""
    return torch.sigmoid(-log_snr).sqrt()


def like(log_snr: LogSNR, x: Tensor) -> Tensor:
    """Shapes a level, [b] or one number for all, so that it multiplies x, [b, ...]."""
    return log_snr.view(-1, *[1] * (x.dim() - 1)) if log_snr.dim() else log_snr


def noised(x0: State, log_snr: LogSNR, eps: State) -> Tensor:
    """q(x_t | x_0) in closed form (DDPM Eq. 4): alpha x0 + sigma eps."""
    level = like(log_snr, x0)
    return alpha(level) * x0 + sigma(level) * eps


def resolvable(log_snr: LogSNR) -> LogSNR:
    """The level that a network and a solver work at: l where l >= -20; below, -20 - log(1 - 20 - l).

    Nobody can tell log-SNR -20 from -100 (alpha = 5e-5 and less), but 1/alpha of the latter leaves float32, and a
    solver of higher order would extrapolate over the distance. The map rises with l and starts at -29.2, for SNR 0.
    """
    excess = (FAINT - log_snr).clamp(0, 1e4)
    return torch.where(excess > 0, FAINT - torch.log1p(excess), log_snr)


def bounded(log_snr: LogSNR) -> LogSNR:
    """l, but -30 at least: there alpha = 3e-7 is lost beside x in float32, and 1/alpha is still a good number."""
    return log_snr.clamp(min=LOWEST)


def forgotten(earlier: LogSNR, later: LogSNR) -> Tensor:
    """c = 1 - SNR_earlier / SNR_later for a step from the noisier `earlier` to the cleaner `later`, in [0, 1].

    beta_t = sigma_t^2 c when t -> t-1 is one step of the DDPM table, and beta-tilde_t = sigma_{t-1}^2 c.
    """
    return -torch.expm1(earlier - later)

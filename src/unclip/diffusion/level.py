"""Noise levels: x = alpha x0 + sigma eps with alpha^2 = sigmoid(l), sigma^2 = sigmoid(-l), l the log-SNR.

Variance preserving (DDPM, Ho et al. 2020, Eq. 4, with alpha^2 = alpha-bar). Everything is computed from l, so that
both ends stay exact in float32.
"""

import torch
from torch import Tensor

from unclip.core.typing import LogSNR, State


def alpha(log_snr: LogSNR) -> Tensor:
    """sqrt(sigmoid(l)): the share of the clean signal."""
    return torch.sigmoid(log_snr).sqrt()


def sigma(log_snr: LogSNR) -> Tensor:
    """sqrt(sigmoid(-l)): the share of the noise."""
    return torch.sigmoid(-log_snr).sqrt()


def like(log_snr: LogSNR, x: Tensor) -> Tensor:
    """A level per sample (or one for all) shaped to multiply `x`."""
    return log_snr.view(-1, *[1] * (x.dim() - 1)) if log_snr.dim() else log_snr


def noised(x0: State, log_snr: LogSNR, eps: State) -> Tensor:
    """q(x_t | x_0) in closed form (DDPM Eq. 4): alpha x0 + sigma eps."""
    level = like(log_snr, x0)
    return alpha(level) * x0 + sigma(level) * eps


def forgotten(earlier: LogSNR, later: LogSNR) -> Tensor:
    """c = 1 - SNR_earlier / SNR_later for a step from the noisier `earlier` to the cleaner `later`, in [0, 1].

    beta_t = sigma_t^2 c when t -> t-1 is one step of the DDPM table, and beta-tilde_t = sigma_{t-1}^2 c.
    """
    return -torch.expm1(earlier - later)

"""The forward process, from data to noise (Ho et al. 2020, section 2), between any two levels.

For a step from the cleaner level s to the noisier t, c = 1 - SNR_t/SNR_s (`level.forgotten`):

    one step   q(x_t | x_s)     = N(sqrt(1 - beta) x_s, beta I),  beta = sigma_t^2 c,  1 - beta = alpha_t^2/alpha_s^2
    all steps  q(x_t | x_0)     = N(alpha_t x_0, sigma_t^2 I): `level.noised`
    posterior  q(x_s | x_t, x_0) = N(alpha_s c x_0 + (alpha_s/alpha_t)(SNR_t/SNR_s) x_t, sigma_s^2 c I)

On a table's neighbouring entries these are DDPM's Eq. 2, 4 and 6-7. s = +inf is the data itself.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, PerSample, State
from unclip.core.untyped import floats
from unclip.core.wide import narrow, wide
from unclip.diffusion.level import alpha, forgotten, like


@dataclass(frozen=True)
class Gaussian:
    """N(mean, variance I). variance: one number for all, or one a sample shaped to multiply the mean."""

    mean: State
    variance: Tensor

    def draw(self, noise: Noise) -> State:
        """One sample of it."""
        return self.mean + self.variance.sqrt() * noise.normal(self.mean.shape)


@dataclass(frozen=True)
class Noised:
    """A state of the chain and its level."""

    x: State
    log_snr: LogSNR


def beta(noisier: LogSNR, cleaner: LogSNR) -> Tensor:
    """The variance that one step adds: sigma_t^2 (1 - SNR_t/SNR_s), in [0, 1]."""
    return torch.sigmoid(-noisier) * forgotten(noisier, cleaner)


def one_step(x: State, cleaner: LogSNR, noisier: LogSNR) -> Gaussian:
    """q(x_t | x_s) for x at level `cleaner` (DDPM Eq. 2). Levels: one for all, or one a sample."""
    s, t = like(cleaner, x), like(noisier, x)
    return Gaussian(torch.exp((logsigmoid(t) - logsigmoid(s)) / 2) * x, beta(t, s))


def chain(x0: State, grid: LogSNR, noise: Noise) -> Iterator[Noised]:
    """x_1, x_2, ..., x_T, each drawn from the one before.

    `grid`: what a sampler walks, noisy to clean with +inf at its end; the chain goes the other way.
    Raises ValueError where the grid does not rise to +inf.
    """
    if not (grid[-1] == math.inf and (grid.diff() > 0).all()):
        raise ValueError(f"grid = {floats(grid)[-3:]} at its end: must rise to +inf, as Schedule.grid does")
    return _walk(x0, grid.flip(0), noise)


def _walk(x: State, levels: LogSNR, noise: Noise) -> Iterator[Noised]:
    for cleaner, noisier in itertools.pairwise(levels):
        x = one_step(x, cleaner, noisier).draw(noise)
        yield Noised(x, noisier)


def posterior(x: State, x0: State, noisier: LogSNR, cleaner: LogSNR) -> Gaussian:
    """q(x_s | x_t, x_0) for x at level `noisier` (DDPM Eq. 6-7). At cleaner = +inf it is x0, without variance."""
    t, s = like(noisier, x), like(cleaner, x)
    c = forgotten(t, s)
    of_x = torch.exp((logsigmoid(s) - logsigmoid(t)) / 2 + t - s)
    return Gaussian(alpha(s) * c * x0 + of_x * x, torch.sigmoid(-s) * c)


def terminal_kl(x0: State, log_snr: LogSNR) -> PerSample:
    """KL(q(x_T | x_0) || N(0, I)) in bits a dimension, [b]: what is still known of x0 at the noisiest level.

    (sigma^2 + alpha^2 x0^2 - 1 - log sigma^2) / (2 ln 2), mean over dimensions; DDPM's L_T (Eq. 5).
    """
    level = wide(log_snr)
    rest = softplus(level) - torch.sigmoid(level)  # -log sigma^2 - alpha^2, in float64: about SNR^2/2 at the noisy end
    energy = torch.sigmoid(level) * wide(x0).square().flatten(1).mean(1)
    return narrow((energy + rest) / (2 * math.log(2)), x0)

"""DDIM (Song et al. 2021a, Eq. 12) and its step, which is DDPM's too.

With z ~ N(0, I) and k = eta sigma_s sqrt(c):

    x_s = alpha_s x0 + sqrt(sigma_s^2 - k^2) eps + k z
    sigma_s^2 - k^2 = sigma_s^2 (1 - eta^2 + eta^2 SNR_t/SNR_s)

The last form has all its digits where c is nearly 1, in a long step from the noisy end.
eta = 0 is the first-order method of the probability-flow ODE (Euler's in sigma/alpha), eta = 1 the ancestral step
with variance beta-tilde; k-diffusion's "Euler ancestral" is the latter in other letters.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.config.ranges import Fraction
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.level import alpha, forgotten, sigma
from unclip.diffusion.samplers.base import Sampler, Step, fresh


def reverse(p: Prediction, t: LogSNR, s: LogSNR, eta: float) -> tuple[State, Tensor]:
    """Mean and k of the step from level t to s. At s = +inf: x0 and 0."""
    k = eta * sigma(s) * forgotten(t, s).sqrt()
    kept = sigma(s) * (1 - eta**2 + eta**2 * torch.exp(t - s)).sqrt()
    return alpha(s) * p.x0 + kept * p.eps, k


def step(x: State, p: Prediction, t: LogSNR, s: LogSNR, noise: Noise, eta: float, std: Tensor | None = None) -> State:
    """One step from level t to s. std: of the noise, in the place of k. No noise is drawn where there is none."""
    mean, k = reverse(p, t, s, eta)
    if torch.isinf(s) or (eta == 0 and std is None):
        return mean
    return mean + (k if std is None else std) * fresh(x, noise)


@dataclass(frozen=True)
class DDIM(Sampler):
    """DDIM (Song et al. 2021a, Eq. 12), the first-order method of the probability-flow ODE.

    Args:
        eta: how much fresh noise a step adds. 0: none, deterministic. 1: DDPM's ancestral step with variance
            beta-tilde.
    """

    eta: Fraction = 0.0

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for t, s in itertools.pairwise(grid):
            p = denoise(x, t)
            x = step(x, p, t, s, noise, eta=self.eta)
            yield Step(x, p.x0, s)

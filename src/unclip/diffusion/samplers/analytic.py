"""Analytic-DPM (Bao et al. 2022a): the best variance of a reverse step, from one number a level.

With Gamma(l) = E|eps_hat|^2/d over noised data, in [0, 1], and k = eta sigma_s sqrt(c) (theorem 1):

    variance = k^2 + (sigma_t alpha_s/alpha_t - sqrt(sigma_s^2 - k^2))^2 (1 - Gamma)

1 - Gamma is the share of the noise that x_t does not tell. Gamma clipped to [0, 1] is theorem 2's first bound: at eta 1
from beta-tilde to beta/(1 - beta). Its second, for data within [-limit, limit], is
k^2 + (alpha_s - sqrt(sigma_s^2 - k^2) alpha_t/sigma_t)^2 limit^2.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.ranges import Fraction, Length, Signed, Weight
from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.level import alpha, forgotten, noised, sigma
from unclip.diffusion.samplers.base import Sampler, Step, exact_grid
from unclip.diffusion.samplers.ddim import step


@dataclass(frozen=True)
class AnalyticDPM(Sampler):
    """Analytic-DPM (Bao et al. 2022a): DDPM's steps with the optimal variance; best below 50 steps.

    Args:
        levels: log-SNR from noisy to clean.
        gamma: E|eps_hat|^2/d at these levels, from `mean_square_eps`; linear between them, constant beyond.
        eta: 1: DDPM; 0: DDIM.
        limit: data lie in [-limit, limit]; 0: anywhere.
    """

    levels: Annotated[tuple[Signed, ...], Length(1, 65536)]
    gamma: Annotated[tuple[Signed, ...], Length(1, 65536)]
    eta: Fraction = 1.0
    limit: Weight = 0.0

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.gamma):
            raise ValueError(f"{len(self.levels)} levels, {len(self.gamma)} gamma: need one gamma for each level, at "
                             "least one; mean_square_eps estimates them")  # fmt: skip
        if any(not t < s for t, s in itertools.pairwise(self.levels)):
            raise ValueError(f"levels = {self.levels}: must rise, from noisy to clean")

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        levels = exact_grid(grid)
        for i, (t, s) in enumerate(itertools.pairwise(levels)):
            p = denoise(x, grid[i])
            x = step(x, p, t, s, noise, self.eta, std=self.variance(t, s).sqrt())
            yield Step(x, p.x0, grid[i + 1])

    def variance(self, t: LogSNR, s: LogSNR) -> Tensor:
        """The variance of the step from level t to s."""
        k2 = (self.eta * sigma(s)).square() * forgotten(t, s)
        rest = (torch.sigmoid(-s) - k2).clamp(min=0).sqrt()
        found = (sigma(t) * alpha(s) / alpha(t) - rest).square() * (1 - self._gamma(t))
        if self.limit:
            found = found.clamp(max=((alpha(s) - rest * alpha(t) / sigma(t)) * self.limit).square())
        return k2 + found

    def _gamma(self, t: LogSNR) -> Tensor:
        levels, gamma = (torch.tensor(v, dtype=torch.float64) for v in (self.levels, self.gamma))
        if len(levels) == 1:
            return gamma[0].clamp(0, 1)
        above = torch.searchsorted(levels, t).clamp(1, len(levels) - 1)
        share = ((t - levels[above - 1]) / (levels[above] - levels[above - 1])).clamp(0, 1)
        return torch.lerp(gamma[above - 1], gamma[above], share).clamp(0, 1)


def mean_square_eps(denoise: Denoise, x0: State, levels: Float[Tensor, " n"], noise: Noise) -> tuple[float, ...]:
    """Estimates E|eps_hat|^2/d at each level, as `AnalyticDPM` needs it.

    For the optimal eps_hat = E[eps | x] that is 1 - E|eps - eps_hat|^2/d, which is how it is measured here: far more
    exact where it is nearly 1, and the best variance also of a network that is not optimal (Bao et al. 2022b).

    Args:
        denoise: the denoiser.
        x0: a few hundred clean samples, [b, ...].
        levels: finite log-SNRs, [n].
        noise: where the noise is drawn from.
    """
    found: list[float] = []
    for level in levels:
        eps = noise.normal(x0.shape).to(x0.dtype)
        error = denoise(noised(x0, level, eps), level).eps - eps
        found.append(1 - error.square().mean().item())
    return tuple(found)

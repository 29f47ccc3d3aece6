"""Euler's and Heun's method in s = sigma/alpha with churn (EDM, Karras et al. 2022, algorithms 1 and 2).

EDM's state is y = x/alpha with dy/ds = eps. Churn first raises the noise from s to (1 + gamma) s where s_tmin <= s <=
s_tmax, gamma = min(s_churn/N, sqrt 2 - 1), then walks from there. Without churn Euler is DDIM at eta 0.
"""

import itertools
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.ranges import Range, Weight
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers.base import Sampler, Step, exact_grid, fresh


@dataclass(frozen=True)
class _EDM(Sampler):
    """s_churn: 0 is deterministic, EDM's best on CIFAR-10 is 30, on ImageNet-64 40; s_noise: 1.003 to 1.007 there."""

    s_churn: Annotated[float, Range(0, math.inf)] = 0.0
    s_tmin: Annotated[float, Range(0, math.inf)] = 0.0
    s_tmax: Annotated[float, Range(0, math.inf)] = 1e9
    s_noise: Weight = 1.0

    def __post_init__(self) -> None:
        if not self.s_tmin <= self.s_tmax:
            raise ValueError(f"s_tmin = {self.s_tmin}, s_tmax = {self.s_tmax}: need s_tmin <= s_tmax")

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for i, (t, s) in enumerate(itertools.pairwise(exact_grid(grid))):
            x, t = self._churned(x, t, len(grid) - 1, noise)
            p = denoise(x, t.to(grid))
            x = self.solve(denoise, p, t, s, grid[i + 1])
            yield Step(x, p.x0, grid[i + 1])

    @abstractmethod
    def solve(self, denoise: Denoise, p: Prediction, t: Tensor, s: Tensor, there: LogSNR) -> State:
        """The state at level s from what was predicted at t; `there` is s as the denoiser takes it."""

    def _churned(self, x: State, t: Tensor, steps: int, noise: Noise) -> tuple[State, Tensor]:
        spread = torch.exp(-t / 2)
        gamma = min(self.s_churn / steps, math.sqrt(2) - 1)
        if gamma == 0 or not self.s_tmin <= spread <= self.s_tmax:
            return x, t
        up = t - 2 * math.log1p(gamma)
        added = self.s_noise * spread * math.sqrt(gamma * (2 + gamma))
        return alpha(up) * (x / alpha(t) + added * fresh(x, noise)), up


def euler(p: Prediction, s: Tensor) -> State:
    """Along the tangent: y + (s' - s) eps, which is alpha_s x0 + sigma_s eps."""
    return alpha(s) * p.x0 + sigma(s) * p.eps


@dataclass(frozen=True)
class Euler(_EDM):
    """EDM's Euler method (Karras et al. 2022): first order, one evaluation a step. Without churn it is DDIM at eta 0.

    Args:
        s_churn: how much noise is added on the way; 0: none, deterministic. EDM's best are 30 on CIFAR-10 and 40 on
            ImageNet-64.
        s_tmin: noise is added only where sigma/alpha is at least this.
        s_tmax: noise is added only where sigma/alpha is at most this.
        s_noise: the factor of the added noise; EDM's best are 1.003 to 1.007.
    """

    def solve(self, denoise: Denoise, p: Prediction, t: Tensor, s: Tensor, there: LogSNR) -> State:
        return euler(p, s)


@dataclass(frozen=True)
class Heun(_EDM):
    """EDM's Heun method (Karras et al. 2022, algorithms 1 and 2): second order, two evaluations a step.

    The arguments are those of `Euler`.
    """

    def solve(self, denoise: Denoise, p: Prediction, t: Tensor, s: Tensor, there: LogSNR) -> State:
        x = euler(p, s)
        if torch.isinf(s):
            return x
        bend = denoise(x, there).eps - p.eps
        return x + alpha(s) * (torch.exp(-s / 2) - torch.exp(-t / 2)) / 2 * bend

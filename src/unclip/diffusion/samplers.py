"""Samplers: generators that walk a grid of log-SNR from noise to picture and yield every step.

With t -> s one step to the cleaner level, c = 1 - SNR_t/SNR_s, z ~ N(0, I):

    DDIM (Song et al. 2021, Eq. 12):  x_s = alpha_s x0 + sqrt(sigma_s^2 - k^2) eps + k z,  k = eta sigma_s sqrt c
    DDPM (Ho et al. 2020, Eq. 6-7):   the same mean at eta = 1; variance beta-tilde = sigma_s^2 c or beta = sigma_t^2 c
    DPM-Solver++ 2M (Lu et al. 2022, alg. 2), lambda = l/2, h = lambda_s - lambda_t, r = h_before/h:
        x_s = sigma_s/sigma_t e^(-eta h) x - alpha_s expm1(-(1 + eta) h) D + sigma_s sqrt(-expm1(-2 eta h)) z,
        D = x0 + (x0 - x0_before)/(2 r);  eta = 0: the ODE's, eta = 1: the SDE's
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unclip.core.config import Config
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.level import alpha, forgotten, sigma


@dataclass(frozen=True)
class Step:
    """The state after a step, the clean estimate that led to it, and the level reached (+inf: done)."""

    x: State
    x0: State
    log_snr: LogSNR


class Sampler(Config, ABC):
    """Base of all samplers; calling one yields its steps, so progress and previews need no callbacks."""

    @abstractmethod
    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]: ...


def step(x: State, p: Prediction, t: LogSNR, s: LogSNR, noise: Noise, eta: float, beta: bool = False) -> Tensor:
    """One step of the DDIM family from level t to s; `beta`: draw with variance sigma_t^2 c around the same mean."""
    c = forgotten(t, s)
    k = eta * sigma(s) * c.sqrt()
    mean = alpha(s) * p.x0 + (torch.sigmoid(-s) - k**2).clamp(min=0).sqrt() * p.eps
    spread = sigma(t) * c.sqrt() if beta else k
    return mean if eta == 0 or torch.isinf(s) else mean + spread * noise.normal(x.shape)


@dataclass(frozen=True)
class Ancestral(Sampler):
    """DDPM's reverse process with Sigma = beta_t I or beta-tilde_t I. The last step is the mean, without noise."""

    variance: Literal["beta", "beta_tilde"] = "beta"

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for t, s in itertools.pairwise(grid):
            p = denoise(x, t)
            x = step(x, p, t, s, noise, eta=1.0, beta=self.variance == "beta")
            yield Step(x, p.x0, s)


@dataclass(frozen=True)
class DDIM(Sampler):
    """eta = 0: deterministic. eta = 1: ancestral with beta-tilde."""

    eta: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta = {self.eta}: DDIM's eta lies in [0, 1]")

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for t, s in itertools.pairwise(grid):
            p = denoise(x, t)
            x = step(x, p, t, s, noise, eta=self.eta)
            yield Step(x, p.x0, s)


@dataclass(frozen=True)
class DPMSolverPP2M(Sampler):
    """Second order, one evaluation a step; the first and the last step are of first order. Good at 10-30 steps.

    eta = 0 solves the ODE. eta = 1 solves the SDE: fresh noise in every step corrects what an imperfect network did
    before, which is worth more than accuracy where training was short.
    """

    eta: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta = {self.eta}: lies in [0, 1]")

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        before: tuple[Tensor, Tensor] | None = None
        for t, s in itertools.pairwise(grid):
            x0 = denoise(x, t).x0
            if torch.isinf(s):
                x = x0
            else:
                h = (s - t) / 2
                estimate = x0 if before is None else x0 + (x0 - before[0]) * (h / (2 * before[1]))
                x = self._step(x, estimate, t, s, noise)
                before = (x0, h)
            yield Step(x, x0, s)

    def _step(self, x: State, estimate: State, t: LogSNR, s: LogSNR, noise: Noise) -> State:
        h = (s - t) / 2
        kept = sigma(s) / sigma(t) * torch.exp(-self.eta * h) * x
        mean = kept - alpha(s) * torch.expm1(-(1 + self.eta) * h) * estimate
        if self.eta == 0:
            return mean
        return mean + sigma(s) * (-torch.expm1(-2 * self.eta * h)).sqrt() * noise.normal(x.shape)

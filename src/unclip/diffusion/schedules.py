"""Schedules: time lives here and nowhere else. A schedule maps t in [0, 1] (clean to noisy) to the log-SNR.

- `LinearBeta`: the table of DDPM (Ho et al. 2020, section 4): beta_1 = 1e-4 ... beta_T = 0.02, T = 1000.
- `Cosine`: alpha-bar(t) = cos^2((t + s)/(1 + s) pi/2) (Nichol & Dhariwal 2021, Eq. 17); the prior's in unCLIP.
- `LogNormal`: ln(sigma/alpha) ~ N(mean, std) in training, Karras steps in sampling (Karras et al. 2022, Eq. 5).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from unclip.core.config import Config
from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR


class Schedule(Config, ABC):
    """Base of all schedules."""

    @abstractmethod
    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        """The log-SNR at time t; decreasing on [0, 1]."""

    def draw(self, n: int, noise: Noise) -> Float[Tensor, " n"]:
        """Training levels for a batch, stratified: one in each of n equal slices of time (VDM, Kingma et al. 2021)."""
        offset = noise.uniform((1,))
        slices = (torch.arange(n, device=offset.device) + offset) / n
        return self(slices)[torch.argsort(noise.uniform((n,)))]

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """steps + 1 levels for sampling, from noisy to clean; the last is +inf (no noise)."""
        self._check(steps)
        t = torch.linspace(1, 0, steps + 1, device=device)[:-1]
        return _to_clean(self(t))

    def _check(self, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"steps = {steps}: sampling needs at least 1 step")


def _to_clean(levels: Tensor) -> Tensor:
    return torch.cat([levels, levels.new_tensor([math.inf])])


@dataclass(frozen=True)
class LinearBeta(Schedule):
    """beta_t linear in t = 1..T (DDPM). Continuous t interpolates the table's log-SNR between its T points."""

    beta_1: float = 1e-4
    beta_T: float = 0.02
    T: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.beta_1 <= self.beta_T < 1:
            raise ValueError(f"beta_1 = {self.beta_1}, beta_T = {self.beta_T}: need 0 < beta_1 <= beta_T < 1")
        if self.T < 2:
            raise ValueError(f"T = {self.T}: a table needs at least 2 steps")

    @cached_property
    def betas(self) -> Float[Tensor, " T"]:
        """beta_1 ... beta_T in float64."""
        return torch.linspace(self.beta_1, self.beta_T, self.T, dtype=torch.float64)

    @cached_property
    def table(self) -> Float[Tensor, " T"]:
        """log(alpha-bar_t / (1 - alpha-bar_t)) for t = 1..T in float64."""
        log_bar = torch.log1p(-self.betas).cumsum(0)
        return log_bar - torch.log(-torch.expm1(log_bar))

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        place = t.double().clamp(0, 1) * (self.T - 1)
        below = place.floor().clamp(max=self.T - 2).long()
        table = self.table.to(t.device)
        return torch.lerp(table[below], table[below + 1], place - below).float()

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """The table's own entries, evenly strided ("trailing": t = T, T - T/steps, ...); steps = T is DDPM itself."""
        self._check(steps)
        if steps > self.T:
            raise ValueError(f"steps = {steps}: this table has T = {self.T}; ask for at most that many")
        index = torch.round(torch.arange(self.T, 0, -self.T / steps, dtype=torch.float64))[:steps].long() - 1
        return _to_clean(self.table[index].float().to(device))


@dataclass(frozen=True)
class Cosine(Schedule):
    """alpha-bar(t) = cos^2(((t + s) / (1 + s)) pi / 2), normalised to 1 at t = 0, log-SNR clipped to +-limit."""

    s: float = 0.008
    limit: float = 15.0

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        angle = (t.double() + self.s) / (1 + self.s) * math.pi / 2
        start = math.log(math.cos(self.s / (1 + self.s) * math.pi / 2)) * 2
        log_bar = (2 * torch.log(torch.cos(angle).clamp(min=1e-12)) - start).clamp(max=-1e-12)
        return (log_bar - torch.log(-torch.expm1(log_bar))).clamp(-self.limit, self.limit).float()


@dataclass(frozen=True)
class LogNormal(Schedule):
    """Training: ln s ~ N(mean, std), s = sigma/alpha = exp(-l/2). Sampling: s^(1/rho) linear from s_max to s_min."""

    mean: float = -1.2
    std: float = 1.2
    s_min: float = 0.002
    s_max: float = 80.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        if not 0 < self.s_min < self.s_max:
            raise ValueError(f"s_min = {self.s_min}, s_max = {self.s_max}: need 0 < s_min < s_max")

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        quantile = torch.special.ndtri(t.double().clamp(1e-7, 1 - 1e-7))
        log_s = (self.mean + self.std * quantile).clamp(math.log(self.s_min), math.log(self.s_max))
        return (-2 * log_s).float()

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """Karras et al. 2022, Eq. 5, with the step to zero appended."""
        self._check(steps)
        low, high = self.s_min ** (1 / self.rho), self.s_max ** (1 / self.rho)
        ramp = torch.linspace(0, 1, steps, dtype=torch.float64, device=device)
        return _to_clean((-2 * self.rho * torch.log(high + ramp * (low - high))).float())

"""Tables of betas with T steps: q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I), t = 1..T (DDPM Eq. 2).

LinearBeta       beta_t linear from beta_1 to beta_T (Ho et al. 2020, section 4)
QuadraticBeta    sqrt(beta_t) linear: `quad` of DDPM's code
ScaledLinearBeta the same with the ends of latent diffusion (Rombach et al. 2022): 0.00085, 0.012
SigmoidBeta      beta_1 + (beta_T - beta_1) sigmoid(-6 ... 6) (Xu et al. 2022)
CosineBeta       beta_t = min(1 - abar_t / abar_{t-1}, 0.999), abar of `Cosine` (Nichol & Dhariwal 2021, Eq. 17)
GivenBetas       written out, as of another model
ZeroTerminalSNR  any of them, rescaled so that alpha-bar_T = 0 (Lin et al. 2023, algorithm 1)
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.ranges import Beta, Fraction, Length, Range, TableLength
from unclip.core.typing import Float, LogSNR
from unclip.core.untyped import floats
from unclip.core.wide import narrow, wide
from unclip.diffusion.schedules.base import Levels, Schedule, Times, interpolated

Betas = Float[Tensor, " T"]

SNR_0 = -1e4
"""Log-SNR that stands for -inf: farther than any table of betas below 1 goes, and finite, as levels must be."""


class BetaTable(Schedule):
    """The base class of tables of T betas, as in DDPM; between its T points the log-SNR is linear in t."""

    @abstractmethod
    def make(self) -> Betas:
        """Makes the table: beta_1 ... beta_T in float64, each in (0, 1]; 1 (SNR 0) only at the end."""

    @cached_property
    def betas(self) -> Betas:
        """The variances that the steps add, beta_1 ... beta_T, [T], float64.

        Raises ValueError where a beta lies outside (0, 1): the SNR would not fall.
        """
        betas = self.make()
        bad = ~((betas > 0) & (betas < 1))
        bad[-1] = not 0 < betas[-1] <= 1
        if bad.any():
            t = int(bad.nonzero()[0])
            raise ValueError(f"beta_{t + 1} = {betas[t].item():.4g}: choose betas in (0, 1), so that the SNR falls")
        return betas

    @cached_property
    def log_alpha_bar(self) -> Betas:
        """The logarithm of alpha-bar_t, [T], float64: the sum of log(1 - beta) up to t; exact however small."""
        return torch.log1p(-self.betas).cumsum(0)

    @cached_property
    def table(self) -> Betas:
        """The log-SNR for t = 1..T, [T], float64; SNR 0, in which a table may end, is -1e4."""
        return (self.log_alpha_bar - torch.log(-torch.expm1(self.log_alpha_bar))).clamp(min=SNR_0)

    @property
    def length(self) -> int:
        return len(self.betas)

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        return interpolated(self.table, t)

    def training_levels(self, times: Times) -> Levels:
        """The table's own entries, each as often as any other: t uniform in 1..T (DDPM, algorithm 1)."""
        entry = (wide(times) * len(self.table)).long().clamp(max=len(self.table) - 1)
        return narrow(self.table.to(entry.device)[entry], times)

    def fraction_below(self, levels: Levels) -> Float[Tensor, " n"]:
        """The number of entries below each level, divided by T."""
        wanted = wide(levels).contiguous()
        rising = self.table.flip(0).to(wanted.device)
        return torch.searchsorted(rising, wanted).to(wanted) / len(rising)

    def sampled(self, times: Times) -> Levels:
        """The table's own entries round(t T), pushed apart where they would coincide; all T of them are DDPM itself.

        Raises ValueError where there are more times than entries.
        """
        T, steps = len(self.table), len(times)
        if steps > T:
            raise ValueError(f"steps = {steps}: this table has T = {T}; ask for at most that many")
        entry = torch.round(wide(times) * T).long()
        entry = torch.maximum(entry, torch.arange(steps, 0, -1, device=entry.device)).clamp(max=T)
        return narrow(self.table.to(entry.device)[entry - 1], times)


@dataclass(frozen=True)
class _Ends(BetaTable):
    """Tables between two ends."""

    beta_1: Beta = 1e-4
    beta_T: Beta = 0.02
    T: TableLength = 1000

    def __post_init__(self) -> None:
        if not self.beta_1 <= self.beta_T:
            raise ValueError(f"beta_1 = {self.beta_1}, beta_T = {self.beta_T}: need beta_1 <= beta_T")


@dataclass(frozen=True)
class LinearBeta(_Ends):
    """DDPM's schedule (Ho et al. 2020, section 4): beta_t rises linearly over t = 1..T.

    Lectures sometimes print beta_T = 0.2. With T = 1000 that is pure noise from t = 441 on, so more than half of the
    levels teach nothing; with T = 100 (and beta_1 = 1e-3) it is DDPM's own noise in ten times fewer steps.

    Args:
        beta_1: the variance that the first step adds.
        beta_T: the variance that the last step adds.
        T: the number of steps.
    """

    def make(self) -> Betas:
        return torch.linspace(self.beta_1, self.beta_T, self.T, dtype=torch.float64)


@dataclass(frozen=True)
class QuadraticBeta(_Ends):
    """A table in which sqrt(beta_t) rises linearly over t = 1..T, from beta_1 to beta_T: `quad` in DDPM's code."""

    def make(self) -> Betas:
        return torch.linspace(self.beta_1**0.5, self.beta_T**0.5, self.T, dtype=torch.float64).square()


@dataclass(frozen=True)
class ScaledLinearBeta(QuadraticBeta):
    """`QuadraticBeta` with the betas of latent diffusion (Rombach et al. 2022); `scaled_linear` in diffusers."""

    beta_1: Beta = 0.00085
    beta_T: Beta = 0.012


@dataclass(frozen=True)
class SigmoidBeta(_Ends):
    """A table whose betas follow a sigmoid from beta_1 to beta_T (Xu et al. 2022, GeoDiff); `sigmoid` in diffusers.

    It is not the schedule `Sigmoid` of Jabri et al. 2022.
    """

    def make(self) -> Betas:
        ramp = torch.sigmoid(torch.linspace(-6, 6, self.T, dtype=torch.float64))
        return self.beta_1 + (self.beta_T - self.beta_1) * ramp


@dataclass(frozen=True)
class CosineBeta(BetaTable):
    """iDDPM's cosine schedule as a table (Nichol & Dhariwal 2021, Eq. 17); `squaredcos_cap_v2` in diffusers.

    Args:
        T: the number of steps.
        s: the offset that keeps the first betas from being too small.
        cap: the largest beta.
    """

    T: TableLength = 1000
    s: Fraction = 0.008
    cap: Beta = 0.999

    def make(self) -> Betas:
        t = torch.arange(self.T + 1, dtype=torch.float64) / self.T
        bar = torch.cos((t + self.s) / (1 + self.s) * math.pi / 2).square()
        return (1 - bar[1:] / bar[:-1]).clamp(max=self.cap)


@dataclass(frozen=True)
class GivenBetas(BetaTable):
    """A table that is written out beta by beta; `trained_betas` in diffusers. Any two or more.

    Args:
        values: beta_1 ... beta_T, each in (0, 1), the last 1 at most. By default DDPM's own table.
    """

    values: Annotated[tuple[Annotated[float, Range(0, 1, above=True)], ...], Length(2, 100_000)] = field(
        default_factory=lambda: tuple(floats(LinearBeta().make()))
    )

    def make(self) -> Betas:
        return torch.tensor(self.values, dtype=torch.float64)


@dataclass(frozen=True)
class ZeroTerminalSNR(BetaTable):
    """A table changed to end in pure noise, SNR 0 at t = T (Lin et al. 2023, algorithm 1).

    sqrt(alpha-bar) is shifted to 0 at T and scaled back to its value at t = 1. The network must not predict eps, which
    says nothing about x0 at SNR 0; Lin et al. use v. The table's last entry is log-SNR -1e4 in the place of -inf.

    Args:
        of: the table to change.
    """

    of: BetaTable = field(default_factory=LinearBeta)

    def make(self) -> Betas:
        root = torch.exp(self.of.log_alpha_bar / 2)
        root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
        before = torch.cat([root.new_ones(1), root[:-1]])
        return 1 - (root / before).square()

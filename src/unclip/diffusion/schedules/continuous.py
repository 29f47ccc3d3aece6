"""Schedules given as a function of continuous time; `limit` clips the log-SNR to +-limit.

Cosine         abar(t) = cos^2((t + s)/(1 + s) pi/2) (Nichol & Dhariwal 2021, Eq. 17)
Sigmoid        abar(t) = (S(end) - S(start + t (end - start))) / (S(end) - S(start)), S(v) = sigmoid(v/tau)
               (Jabri et al. 2022)
RectifiedFlow  x' = (1 - t) x0 + t eps (Liu et al. 2022a), here x'/sqrt((1 - t)^2 + t^2): sigma/alpha = t/(1 - t)
Tabulated      straight lines between given levels
Shifted        another schedule with `shift` added to its log-SNR
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.ranges import Fraction, Length, Limit, Range, Signed, Spread
from unclip.core.typing import Float, LogSNR
from unclip.core.wide import wide
from unclip.diffusion.schedules.base import Clipped, Levels, Schedule, Times, interpolated, to_clean


@dataclass(frozen=True)
class Cosine(Clipped):
    """iDDPM's cosine schedule in continuous time (Nichol & Dhariwal 2021, Eq. 17).

        alpha-bar(t) = cos^2(((t + s) / (1 + s)) pi / 2), normalised to 1 at t = 0

    Args:
        s: the offset that keeps the clean end from being too flat.
        limit: the log-SNR is clipped to [-limit, limit].
    """

    s: Fraction = 0.008
    limit: Limit = 15.0

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        angle = (wide(t) + self.s) / (1 + self.s) * math.pi / 2
        start = math.log(math.cos(self.s / (1 + self.s) * math.pi / 2)) * 2
        log_bar = (2 * torch.log(torch.cos(angle).clamp(min=1e-12)) - start).clamp(max=-1e-12)
        return self.clipped(log_bar - torch.log(-torch.expm1(log_bar)), t)


@dataclass(frozen=True)
class Sigmoid(Clipped):
    """A sigmoid of time, normalised to alpha-bar 1 at t = 0 and 0 at t = 1. The larger tau, the straighter."""

    start: Annotated[float, Range(-100, 100)] = -3.0
    end: Annotated[float, Range(-100, 100)] = 3.0
    tau: Spread = 1.0
    limit: Limit = 15.0

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"start = {self.start}, end = {self.end}: need start < end")

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        place = self.start + wide(t).clamp(0, 1) * (self.end - self.start)
        first, last = (torch.tensor(v / self.tau, dtype=torch.float64).sigmoid() for v in (self.start, self.end))
        here = (place / self.tau).sigmoid()
        ratio = (last - here).clamp(min=0).log() - (here - first).clamp(min=0).log()
        return self.clipped(ratio, t)


@dataclass(frozen=True)
class RectifiedFlow(Clipped):
    """The schedule of rectified flow (Liu et al. 2022a): log-SNR = 2 log((1 - t)/t).

    DDIM at eta 0 on its grid is the Euler method of rectified flow, step for step.

    Args:
        limit: the log-SNR is clipped to [-limit, limit].
    """

    limit: Limit = 15.0

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        time = wide(t).clamp(0, 1)
        return self.clipped(2 * (torch.log1p(-time) - torch.log(time)), t)


@dataclass(frozen=True)
class Tabulated(Schedule):
    """A schedule of straight lines through given levels.

    Two levels make it linear in log-SNR, VDM's fixed schedule (Kingma et al. 2021). `LearnedSchedule.fixed` returns
    one.

    Args:
        levels: the log-SNR at evenly spaced times from t = 0 (clean) to t = 1 (noisy); at least two, falling.
    """

    levels: Annotated[tuple[Signed, ...], Length(2, 65536)] = (10.0, -10.0)

    def __post_init__(self) -> None:
        if len(self.levels) < 2:
            raise ValueError(f"levels = {self.levels}: a table needs at least 2 levels")
        for before, after in zip(self.levels, self.levels[1:], strict=False):
            if not (math.isfinite(before) and math.isfinite(after) and before > after):
                raise ValueError(f"levels: {after} follows {before}; the log-SNR must be finite and fall with time")

    @cached_property
    def table(self) -> Levels:
        """The levels as a tensor, float64."""
        return torch.tensor(self.levels, dtype=torch.float64)

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        return interpolated(self.table, t)


@dataclass(frozen=True)
class Shifted(Schedule):
    """Another schedule with a constant added to its log-SNR, for images of another size.

    A larger image keeps more of its shape at the same noise: for d pixels a side instead of b, shift = 2 ln(b/d)
    (Hoogeboom et al. 2023, section 3.1); in flow time that is Stable Diffusion 3's t -> r t/(1 + (r - 1) t), r = d/b
    (Esser et al. 2024, Eq. 23).

    Args:
        of: the schedule to shift.
        shift: what is added to the log-SNR; below 0: noisier.
    """

    of: Schedule = field(default_factory=Cosine)
    shift: Annotated[float, Range(-40, 40)] = -2 * math.log(2)

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        return self.of(t) + self.shift

    @property
    def length(self) -> int:
        return self.of.length

    def sampled(self, times: Times) -> Levels:
        return self.of.sampled(times) + self.shift

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        return to_clean(self.of.grid(steps)[:-1] + self.shift, device)

"""What every schedule is: a falling map from t in [0, 1] (clean to noisy) to the log-SNR."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR
from unclip.core.untyped import floats
from unclip.core.wide import narrow, wide

Times = Float[Tensor, " n"]
Levels = Float[Tensor, " n"]
"""A list of n levels of log-SNR."""

_BISECTIONS = 52
"""Halvings of [0, 1] that float64 can tell apart."""


class Schedule(Config, ABC):
    """The base class of all schedules: a falling map from time t in [0, 1] (clean to noisy) to the log-SNR.

    A schedule of your own defines `__call__`; all else follows from it (docs/schedules.md).
    """

    @abstractmethod
    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        """The log-SNR at times t in [0, 1], float32, of the shape of t. It must fall with t."""

    @property
    def length(self) -> int:
        """How many steps the whole chain has: T of a table, 1000 where time is continuous."""
        return 1000

    def draw(self, n: int, noise: Noise) -> Float[Tensor, " n"]:
        """Draws n training levels, [n], stratified: one in each of n equal slices of time (VDM, Kingma et al. 2021)."""
        return self.training_levels(stratified(n, noise))

    def training_levels(self, times: Times) -> Levels:
        """The levels that training uses, [n], where these times, uniform in [0, 1), were drawn."""
        return self(times)

    def fraction_below(self, levels: Levels) -> Float[Tensor, " n"]:
        """The fraction of the training levels that lies below each of `levels`, [n], float64.

        It is 1 - t(l), with t the inverse of l(t), found by bisection; exact to 1e-15.
        """
        low, high = torch.zeros_like(levels, dtype=torch.float64), torch.ones_like(levels, dtype=torch.float64)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            cleaner = wide(self(middle)) > levels
            low, high = torch.where(cleaner, middle, low), torch.where(cleaner, high, middle)
        return 1 - low

    def sampled(self, times: Times) -> Levels:
        """The levels for sampling at the given times, [n], noisy to clean. A table gives its own entries instead."""
        return self(times)

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """The schedule's own grid for sampling: steps + 1 levels from noisy to clean, the last +inf (no noise).

        Raises ValueError where two of them are equal.
        """
        return to_clean(self.sampled(trailing(steps)), device)


class Clipped(Schedule):
    """A schedule whose log-SNR is clipped to [-limit, limit]; `limit` is a field of each."""

    limit: float

    def clipped(self, levels: Float[Tensor, "..."], like: Float[Tensor, "..."]) -> LogSNR:
        """Levels of float64, clipped, in the type of the times that they were asked for."""
        return narrow(levels.clamp(-self.limit, self.limit), like)

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        levels = self.sampled(trailing(steps))
        if bool((levels.float().diff() == 0).any()):
            raise ValueError(
                f"steps = {steps}: two of the levels are equal, for schedule.limit = {self.limit:g} cuts the "
                "schedule's ends; take a larger limit, fewer steps or another grid"
            )
        return to_clean(levels, device)


def stratified(n: int, noise: Noise) -> Times:
    """n times in a random order, one in each of n equal slices of [0, 1), at one common offset (VDM, appendix).

    Of a part of a batch: its n of the whole batch's times.
    """
    total, offset = noise.total(n), noise.uniform((1,), common=True)
    slices = (torch.arange(total, device=offset.device) + offset) / total
    return noise.own(slices[torch.argsort(noise.uniform((total,), common=True))])


def trailing(steps: int) -> Times:
    """t = 1, 1 - 1/steps, ..., 1/steps in float64: the spacing that starts at pure noise (Lin et al. 2023, 3.3).

    Raises ValueError where steps < 1.
    """
    check_steps(steps)
    return torch.arange(steps, 0, -1, dtype=torch.float64) / steps


def check_steps(steps: int) -> None:
    """Raises ValueError where steps < 1."""
    if steps < 1:
        raise ValueError(f"steps = {steps}: sampling needs at least 1 step")


def to_clean(levels: Levels, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
    """The grid a sampler walks: float32 levels that rise strictly, with +inf appended.

    Raises ValueError where two levels are equal or fall: a sampler divides by the distance between them.
    """
    levels = levels.float()
    if not (torch.isfinite(levels).all() and (levels.diff() > 0).all()):
        worst = int((~(levels.diff() > 0)).nonzero()[0]) if len(levels) > 1 else 0
        near = ", ".join(f"{level:.4g}" for level in floats(levels[worst : worst + 2]))
        raise ValueError(f"steps = {len(levels)}: the grid's log-SNR must rise at every step, found {near} at step "
                         f"{worst}; ask for fewer steps or for another grid")  # fmt: skip
    return torch.cat([levels, levels.new_tensor([math.inf])]).to(device)


def interpolated(table: Levels, t: Float[Tensor, "..."]) -> LogSNR:
    """Linear interpolation of a table whose n entries stand at t = 0, 1/(n - 1), ..., 1; float32."""
    place = wide(t).clamp(0, 1) * (len(table) - 1)
    table = table.to(place.device)
    below = place.floor().clamp(max=len(table) - 2).long()
    return narrow(torch.lerp(table[below], table[below + 1], place - below), t)

"""Grids: where a sampler stops on its way from noise to clean, for any schedule.

UniformTime    t = i/N: the schedule's own pace (on a table: every T/N-th entry)
QuadraticTime  t = (i/N)^2: more steps near the clean end (DDIM, Song et al. 2021a, appendix D.2)
BothEnds       even steps from the first to the last entry of a table, both visited (Karlo)
Leading        every T/N-th entry of a table, counted from its clean end (Stable Diffusion)
ToFirstEntry   another grid that ends at the first entry of a table, where a little noise is left
Sections       equal sections of time with a number of steps each (Nichol & Dhariwal 2021; GLIDE's 27 steps)
UniformLogSNR  even steps of log-SNR (DPM-Solver, Lu et al. 2022)
KarrasSteps    even steps of (sigma/alpha)^(1/rho) (Karras et al. 2022, Eq. 5)
Jumps          few levels between two, for consistency models
Given          a list of levels: searched, or taken from another model
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from unclip.core.config import families
from unclip.core.config.base import Config
from unclip.core.config.ranges import Length, Range, Sigma, Signed, Spread
from unclip.core.typing import Float, LogSNR
from unclip.core.untyped import floats
from unclip.diffusion.level import resolvable
from unclip.diffusion.schedules.base import Levels, Schedule, check_steps, to_clean, trailing
from unclip.diffusion.schedules.karras import check_polynomial, karras_levels

SLACK = 1e-3
"""How far a level may lie outside a schedule's range: rounding, no more."""


class Grid(Config, ABC):
    """The base class of all grids: which levels of a schedule a sampler visits.

    name: what a person may type for one without arguments, besides the name of its class.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def levels(self, schedule: Schedule, steps: int) -> Levels:
        """Chooses `steps` levels of the schedule, [steps], from noisy to clean."""

    def __call__(self, schedule: Schedule, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """The whole grid of a sampler: steps + 1 levels from noisy to clean, of which the last is +inf.

        Raises ValueError where schedule, grid and number of steps cannot go together: no steps, more steps than a table
        has entries, levels that the schedule never reaches, or two steps at one level.
        """
        check_steps(steps)
        levels, (noisy, clean) = self.levels(schedule, steps), floats(_both_ends(schedule))
        for level in floats(levels):
            if not noisy - SLACK <= level <= clean + SLACK:
                raise ValueError(
                    f"log-SNR {level:.4g} of {type(self).__name__} lies outside {type(schedule).__name__}, whose "
                    f"levels go from {noisy:.4g} to {clean:.4g} and are all that a model was trained on; choose within"
                )
        return to_clean(levels, device)


def ends(schedule: Schedule) -> tuple[float, float]:
    """The log-SNR of the schedule's (noisy, clean) end, as far as a network and a solver can tell levels apart."""
    noisy, clean = floats(resolvable(_both_ends(schedule)))
    return noisy, clean


def _both_ends(schedule: Schedule) -> LogSNR:
    return schedule(torch.tensor([1.0, 0.0]))


@dataclass(frozen=True)
class UniformTime(Grid):
    """Even steps of time, t = 1, 1 - 1/N, ..., 1/N ("trailing"); with T steps on a table it is DDPM itself."""

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        return schedule.sampled(trailing(steps))


@dataclass(frozen=True)
class BothEnds(Grid):
    """Even steps from the noisy to the clean end, both visited: entry round(i (T - 1)/(N - 1)) of a table (Karlo).

    Where time is continuous, T = 1000 even times stand for a table. One step starts at the noisy end.
    """

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        T = schedule.length
        if steps > T:
            raise ValueError(f"steps = {steps}: there are T = {T} times to stop at; ask for at most that many")
        entry = torch.linspace(0, T - 1, max(2, steps), dtype=torch.float64).round().flip(0)[:steps]
        return schedule.sampled((entry + 1) / T)


@dataclass(frozen=True)
class Leading(Grid):
    """Every floor(T/N)-th entry of a table from its clean end on, as Stable Diffusion is drawn with.

    It starts short of the noisy end, which Lin et al. (2023, section 3.3) call a flaw; published models are drawn with
    it all the same. Where time is continuous, T = 1000 even times stand for a table.

    Args:
        offset: the entry of the last step, counted from 0; Stable Diffusion's is 1.
    """

    offset: Annotated[int, Range(0, 1000)] = 1

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        T = schedule.length
        apart = T // steps
        last = (steps - 1) * apart + self.offset
        if not apart or last >= T:
            raise ValueError(
                f"steps = {steps}: entries {self.offset}, {self.offset + apart}, ... reach beyond the T = {T} that "
                "there are; ask for fewer steps or for another grid"
            )
        entry = torch.arange(steps - 1, -1, -1, dtype=torch.float64) * apart + self.offset
        return schedule.sampled((entry + 1) / T)


@dataclass(frozen=True)
class ToFirstEntry(Grid):
    """Another grid whose last step goes to the first entry of the table, in which a little noise is left, in the place
    of none: what diffusers means by `set_alpha_to_one = False`.

    Args:
        of: that grid. Its last step must not stand at the first entry.
    """

    of: Grid = field(default_factory=UniformTime)

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        return self.of.levels(schedule, steps)

    def __call__(self, schedule: Schedule, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        grid = super().__call__(schedule, steps, device)
        grid[-1] = schedule.sampled(torch.tensor([1 / schedule.length], dtype=torch.float64))[0]
        if grid[-1] <= grid[-2]:
            raise ValueError(
                f"steps = {steps}: the last of them stands where {type(self).__name__} lets it end, at log-SNR "
                f"{grid[-1]:.4g}; ask for fewer steps or for another grid"
            )
        return grid


@dataclass(frozen=True)
class QuadraticTime(Grid):
    """Quadratic steps of time, t = (i/N)^2 for i = N..1: more near the clean end (DDIM, Song et al. 2021a, D.2)."""

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        return schedule.sampled(trailing(steps).square())


@dataclass(frozen=True)
class Sections(Grid):
    """Time cut into equal sections with a number of even steps in each (Nichol & Dhariwal 2021).

    (10, 10, 3, 2, 2) are the 27 steps of GLIDE's upsampler (Nichol et al. 2021). iDDPM's own spacing uses both ends of
    a section; here a section's clean end belongs to the one before, so that no two steps of a table coincide.

    Args:
        counts: the steps of each section, clean to noisy.
    """

    counts: Annotated[tuple[Annotated[int, Range(0, 100_000)], ...], Length(1, 1000)] = (10, 10, 3, 2, 2)

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 0 or self.counts[-1] < 1:
            raise ValueError(f"counts = {self.counts}: need numbers of steps, the last (noisiest) at least 1")

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        _check_count(steps, sum(self.counts), "counts")
        n = len(self.counts)
        times = [(i + trailing(count)) / n for i, count in reversed(list(enumerate(self.counts))) if count]
        return schedule.sampled(torch.cat(times))


@dataclass(frozen=True)
class UniformLogSNR(Grid):
    """Even steps of log-SNR between both ends of the schedule (DPM-Solver, Lu et al. 2022), then the step to +inf."""

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        return torch.linspace(*ends(schedule), steps, dtype=torch.float64)


@dataclass(frozen=True)
class KarrasSteps(Grid):
    """EDM's steps (Karras et al. 2022, Eq. 5): s^(1/rho) falls evenly from s_max to s_min, s = sigma/alpha.

    Args:
        rho: the exponent; the larger, the more steps at the clean end.
        s_min: the clean end; None: the schedule's own.
        s_max: the noisy end; None: the schedule's own.
    """

    rho: Spread = 7.0
    s_min: Sigma | None = None
    s_max: Sigma | None = None

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        s_max, s_min = (math.exp(-level / 2) for level in ends(schedule))
        s_min = s_min if self.s_min is None else self.s_min
        s_max = s_max if self.s_max is None else self.s_max
        check_polynomial(s_min, s_max, self.rho)
        return karras_levels(steps, s_min, s_max, self.rho)


@dataclass(frozen=True)
class Jumps(Grid):
    """For few steps of `Consistency`: the noisy end, then the middles of equal parts of log-SNR between two levels.

    Outside them nothing is decided: before, the first step has seen nothing but noise; beyond, the image is there.
    Where the schedule ends within them, its end takes their place.

    Args:
        low: the noisier of the two.
        high: the cleaner of the two.
    """

    low: Signed = -6.0
    high: Signed = 0.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low}, high = {self.high}: the noisier level first, so low < high")

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        noisy, clean = ends(schedule)
        low, high = max(self.low, noisy), min(self.high, clean)
        middles = (torch.arange(steps - 1, dtype=torch.float64) + 0.5) / max(1, steps - 1)
        return torch.cat([torch.tensor([noisy], dtype=torch.float64), low + (high - low) * middles])


@dataclass(frozen=True)
class FixedLevels(Grid):
    """A grid that is written out level by level.

    For times t instead: `Given(tuple(schedule.sampled(t).tolist()))`.

    Args:
        log_snr: the levels, noisy to clean, without the +inf that follows them.
    """

    log_snr: Annotated[tuple[Signed, ...], Length(1, 100_000)]

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        _check_count(steps, len(self.log_snr), "levels")
        return torch.tensor(self.log_snr, dtype=torch.float64)


def _check_count(steps: int, found: int, what: str) -> None:
    if steps != found:
        raise ValueError(f"steps = {steps}: the grid's {what} make {found} steps; ask for {found}")


NAMES: dict[str, Grid] = {
    "uniform": UniformTime(),
    "quadratic": QuadraticTime(),
    "both-ends": BothEnds(),
    "leading": Leading(),
    "log-snr": UniformLogSNR(),
    "karras": KarrasSteps(),
    "sections": Sections(),
    "jumps": Jumps(),
}
"""Names that a person types, as --grid karras. sections: 27 steps. Searched levels are `FixedLevels`."""


def named(name: str) -> Grid:
    """The grid of this name. Raises ValueError with the known names."""
    return families.named(Grid, NAMES, name)


def name_of(grid: Grid) -> str | None:
    """The name of a grid with just these settings, if it has one."""
    return families.name_of(grid, Grid, NAMES)

"""Which levels a training batch gets.

Stratified   as the schedule draws them: one in each of n equal slices of time
LossAware    iDDPM's importance sampling (Nichol & Dhariwal 2021, Eq. 18): time is cut into K bins, bin k is drawn with
             p_k proportional to sqrt(E[L^2]) over the last losses seen there, and a loss is weighed by 1/(K p_k), so
             its expectation stays what it was while its variance falls

The history is in buffers, so it is saved with every checkpoint. A batch may be shared among threads: `draw` only reads
the history, `record` sets the losses aside, and the trainer calls `settle` once a step, when all threads are done; it
enters them in the order of their noise's keys. So a run is reproducible with any number of workers.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from unclip.core import processes
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Range
from unclip.core.noise import Noise
from unclip.core.typing import Float, Int, PerSample
from unclip.core.untyped import floats, integers
from unclip.core.wide import narrow, wide
from unclip.diffusion.schedules.base import Schedule, stratified

FLOOR = 1e-3
"""Share of the draws that stay uniform, so that no bin is ever forgotten."""


@dataclass(frozen=True)
class LevelSample:
    """Levels and what multiplies their losses (None: nothing does); bins: where in time they lie."""

    log_snr: PerSample
    weight: PerSample | None = None
    bins: Int[Tensor, " b"] | None = None


class LevelSampler(nn.Module, ABC):
    """Base of what draws the levels."""

    @abstractmethod
    def draw(self, schedule: Schedule, n: int, noise: Noise) -> LevelSample: ...

    @abstractmethod
    def record(self, drawn: LevelSample, loss: PerSample, noise: Noise) -> None:
        """Is told what the levels drawn cost, before `LevelSample.weight`."""


class LevelSampling(Config, ABC):
    """The base class of settings that choose which noise levels training draws."""

    @abstractmethod
    def sampler(self) -> LevelSampler: ...


@dataclass(frozen=True)
class Stratified(LevelSampling):
    """Training draws the levels of the schedule: one in each of b equal slices of time."""

    def sampler(self) -> LevelSampler:
        return ScheduleLevels()


@dataclass(frozen=True)
class LossAware(LevelSampling):
    """Training draws levels with large losses more often (iDDPM, Nichol & Dhariwal 2021, Eq. 18).

    A loss is divided by how often its level is drawn, so the expectation stays and the variance falls.

    Args:
        bins: K, the number of equal parts of time.
        keep: how many losses are remembered in each part; until all have so many, levels are drawn evenly.
    """

    bins: Annotated[int, Range(2, 65536)] = 64
    keep: Count = 10

    def sampler(self) -> LevelSampler:
        return LossHistory(self.bins, self.keep)


class ScheduleLevels(LevelSampler):
    """Without memory."""

    def draw(self, schedule: Schedule, n: int, noise: Noise) -> LevelSample:
        return LevelSample(schedule.draw(n, noise))

    def record(self, drawn: LevelSample, loss: PerSample, noise: Noise) -> None:
        pass


class LossHistory(LevelSampler):
    """The last losses of every bin: `losses[k]` is a ring, `count[k]` how many were ever entered."""

    losses: Float[Tensor, "bins keep"]
    count: Int[Tensor, " bins"]

    def __init__(self, bins: int, keep: int) -> None:
        super().__init__()
        self.register_buffer("losses", torch.zeros(bins, keep))
        self.register_buffer("count", torch.zeros(bins, dtype=torch.int64))
        self.pending: list[tuple[tuple[int, ...], Tensor, Tensor]] = []

    def probabilities(self) -> Float[Tensor, " bins"]:
        """p_k in float64; uniform in evaluation, and until every bin has its losses."""
        bins, keep = self.losses.shape
        size = wide(self.losses).square().mean(1).sqrt()
        uniform = torch.full_like(size, 1 / bins)
        if not self.training or bool((self.count < keep).any()) or not size.sum() > 0:
            return uniform
        return (1 - FLOOR) * size / size.sum() + FLOOR * uniform

    def draw(self, schedule: Schedule, n: int, noise: Noise) -> LevelSample:
        """Stratified in the share of the draws, so a batch covers the bins as evenly as p allows."""
        p = self.probabilities()
        ends = p.cumsum(0)
        uniform = stratified(n, noise)
        share = wide(uniform) * ends[-1]
        bins = torch.searchsorted(ends, share, right=True).clamp(max=len(p) - 1)
        inside = ((share - ends[bins]) / p[bins] + 1).clamp(0, 1)
        t = (bins + inside) / len(p)
        levels, weight = (narrow(part, uniform) for part in (schedule.training_levels(t), 1 / (len(p) * p[bins])))
        return LevelSample(levels, weight, bins)

    def record(self, drawn: LevelSample, loss: PerSample, noise: Noise) -> None:
        assert drawn.bins is not None
        if self.training:
            self.pending.append((noise.seeds, drawn.bins, loss.detach().float()))

    def settle(self) -> None:
        """Enters what was recorded since the last call; a loss that is not finite is left out."""
        for _, *entered in sorted(self.pending, key=lambda entry: entry[0]):
            bins, losses = map(processes.gathered, entered)
            for k, loss in zip(integers(bins), floats(losses), strict=True):
                if loss == loss and abs(loss) < float("inf"):
                    self.losses[k, int(self.count[k]) % self.losses.shape[1]] = loss
                    self.count[k] += 1
        self.pending.clear()

"""Solvers of dy/dl = field(y, l) from one level to another, either way; y is a tuple of tensors that share a batch.

Heun       2nd order, `steps` even steps        RK4   4th order, `steps` even steps
RK45       Dormand & Prince 1980: 5th order, each step as long as its 4th-order twin allows
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Range, Steps
from unclip.core.wide import wide

Parts = tuple[Tensor, ...]
Field = Callable[[Parts, float], Parts]
Rows = tuple[tuple[float, ...], ...]

HEUN: Rows = ((1.0,), (1 / 2, 1 / 2))
CLASSIC: Rows = ((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6))
DORMAND_PRINCE: Rows = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
TWIN = (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
"""Weights of the 4th-order solution; those of the 5th are the last row, and 0."""


@dataclass(frozen=True)
class Solution:
    """y at the end, and how often the field was evaluated."""

    y: Parts
    evaluations: int


class Solver(Config, ABC):
    """Base of the solvers."""

    @abstractmethod
    def __call__(self, field: Field, y: Parts, start: float, end: float) -> Solution: ...


def _moved(y: Parts, h: float, weights: Sequence[float], slopes: Sequence[Parts]) -> Parts:
    """y + h sum_j w_j k_j."""
    pairs = [(h * w, k) for w, k in zip(weights, slopes, strict=True) if w]
    return tuple(part + sum(w * k[i] for w, k in pairs) for i, part in enumerate(y))


def _stages(field: Field, y: Parts, l: float, h: float, rows: Rows, first: Parts) -> tuple[Parts, list[Parts]]:
    """(y a step later, the slopes on the way). A row's sum is the place of the stage it leads to."""
    slopes = [first]
    for row in rows[:-1]:
        slopes.append(field(_moved(y, h, row, slopes), l + h * sum(row)))
    return _moved(y, h, rows[-1], slopes), slopes


def _fixed(field: Field, y: Parts, start: float, end: float, steps: int, rows: Rows) -> Solution:
    if steps < 1:
        raise ValueError(f"steps = {steps}: the ODE needs at least 1 step")
    h = (end - start) / steps
    for i in range(steps):
        l = start + i * h
        y, _ = _stages(field, y, l, h, rows, field(y, l))
    return Solution(y, steps * len(rows))


@dataclass(frozen=True)
class HeunSolver(Solver):
    """Two evaluations a step."""

    steps: Steps = 100

    def __call__(self, field: Field, y: Parts, start: float, end: float) -> Solution:
        return _fixed(field, y, start, end, self.steps, HEUN)


@dataclass(frozen=True)
class RK4(Solver):
    """The classic Runge-Kutta method of fourth order: `steps` even steps of four evaluations."""

    steps: Steps = 50

    def __call__(self, field: Field, y: Parts, start: float, end: float) -> Solution:
        return _fixed(field, y, start, end, self.steps, CLASSIC)


@dataclass(frozen=True)
class RK45(Solver):
    """The adaptive Runge-Kutta method of fifth order by Dormand & Prince (1980).

    The local error of every sample stays below atol + rtol |y|, as a root mean square over its dimensions. The step is
    common to the batch, so a sample's result depends on its neighbours within the tolerance.

    Args:
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        maximum: the largest number of steps.
    """

    rtol: Fraction = 1e-4
    atol: Annotated[float, Range(0, 1, above=True)] = 1e-4
    maximum: Annotated[int, Range(1, 10_000_000)] = 2000

    def __call__(self, field: Field, y: Parts, start: float, end: float) -> Solution:
        """Integrates from `start` to `end`. Raises ValueError where `maximum` steps do not reach the end."""
        l, h, first, evaluations = start, (end - start) / 50, field(y, start), 1
        for _ in range(self.maximum):
            last = abs(h) >= abs(end - l)
            h = end - l if last else h
            new, slopes = _stages(field, y, l, h, DORMAND_PRINCE, first)
            slopes.append(field(new, l + h))
            evaluations += len(DORMAND_PRINCE)
            error = self._error(y, new, h, slopes)
            if error <= 1:
                if last:
                    return Solution(new, evaluations)
                y, l, first = new, l + h, slopes[-1]
            h *= min(5.0, max(0.2, 0.9 * error**-0.2)) if error > 0 else 5.0
        raise ValueError(
            f"rtol = {self.rtol}, atol = {self.atol}: not reached in {self.maximum} steps (at log-SNR {l:.3g}); "
            "loosen them, or use RK4 with fixed steps"
        )

    def _error(self, y: Parts, new: Parts, h: float, slopes: list[Parts]) -> float:
        """The worst sample's error in units of what is allowed; a value that is not finite counts as far too much."""
        gap = [a - b for a, b in zip((*DORMAND_PRINCE[-1], 0.0), TWIN, strict=True)]
        worst = 0.0
        for i, (before, after) in enumerate(zip(y, new, strict=True)):
            wrong = h * sum(w * k[i] for w, k in zip(gap, slopes, strict=True) if w)
            scaled = wrong / (self.atol + self.rtol * before.abs().maximum(after.abs()))
            size = wide(scaled).square().reshape(len(before), -1).mean(1).max().sqrt().item()
            worst = max(worst, size) if size == size else 1e10
        return worst

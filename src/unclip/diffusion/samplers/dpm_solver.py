"""DPM-Solver++ (Lu et al. 2022b): x0 as a polynomial in lambda, the rest of the equation solved exactly.

    x_s = sigma_s/sigma_t e^(-eta h) x + alpha_s sum_j w_j x0_j + sigma_s sqrt(1 - e^(-2 eta h)) z

w integrates the polynomial through the last estimates (`polynomial.moments` at (1 + eta) h). eta = 0 solves the
probability-flow ODE, eta = 1 the SDE: fresh noise in every step corrects what an imperfect network did before, which
is worth more than accuracy where training was short. The step to +inf is x0.
"""

import itertools
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from unclip.core.config.ranges import Fraction
from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers.base import Sampler, Step, exact_grid, fresh
from unclip.diffusion.samplers.polynomial import moments, weights


@dataclass(frozen=True)
class PastEstimate:
    """A clean estimate and the level it was made at."""

    x0: State
    log_snr: Float[Tensor, ""]


def along(known: Sequence[PastEstimate], t: LogSNR, s: LogSNR) -> list[float]:
    """Where the estimates stand between t (0) and s (1), in log-SNR."""
    return [((e.log_snr - t) / (s - t)).item() for e in known]


def advance(
    x: State, known: Sequence[PastEstimate], w: Sequence[float], t: LogSNR, s: LogSNR, eta: float = 0.0
) -> State:
    """The step without its noise: what is left of x plus the weighted estimates."""
    kept = sigma(s) / sigma(t) * torch.exp(-eta * (s - t) / 2) * x
    return kept + alpha(s) * sum(weight * e.x0 for weight, e in zip(w, known, strict=True))


class _Multistep(Sampler):
    """Uses the last `order` estimates, one evaluation a step; the first steps are of lower order."""

    eta: float
    order: ClassVar[int]

    @abstractmethod
    def integrals(self, h: float, n: int) -> list[float]:
        """The n moments over a step of length h."""

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        known: deque[PastEstimate] = deque(maxlen=self.order)
        for (t, s), now in zip(itertools.pairwise(exact_grid(grid)), itertools.pairwise(grid), strict=True):
            known.appendleft(PastEstimate(denoise(x, now[0]).x0, t))
            x = known[0].x0 if torch.isinf(s) else self._step(x, known, t, s, noise)
            yield Step(x, known[0].x0, now[1])

    def _step(self, x: State, known: Sequence[PastEstimate], t: LogSNR, s: LogSNR, noise: Noise) -> State:
        h = (s - t) / 2
        w = weights(along(known, t, s), self.integrals((1 + self.eta) * h.item(), len(known)))
        mean = advance(x, known, w, t, s, self.eta)
        if self.eta == 0:
            return mean
        return mean + sigma(s) * (-torch.expm1(-2 * self.eta * h)).sqrt() * fresh(x, noise)


def midpoint(h: float, n: int) -> list[float]:
    """The moments with m_1 = m_0/2: a straight line's mean in the place of its integral, as the paper's 2M and 2S."""
    return [moments(h, 1)[0] * (1, 0.5)[k] for k in range(n)]


@dataclass(frozen=True)
class DPMSolverPP2M(_Multistep):
    """DPM-Solver++ 2M (Lu et al. 2022b, algorithm 2): second order, one evaluation a step; good at 10 to 30 steps.

    Args:
        eta: 0: the probability-flow ODE, deterministic. 1: the SDE, with fresh noise in every step.
    """

    eta: Fraction = 0.0
    order: ClassVar[int] = 2

    def integrals(self, h: float, n: int) -> list[float]:
        return midpoint(h, n)


@dataclass(frozen=True)
class DPMSolverPP3M(_Multistep):
    """DPM-Solver++ of third order (Lu et al. 2022b), one evaluation a step.

    Args:
        eta: 0: the probability-flow ODE, deterministic. 1: the SDE, with fresh noise in every step.
        halved: whether the quadratic term counts half, as in the authors' code, k-diffusion and diffusers; that makes
            it a method of second order.
    """

    eta: Fraction = 0.0
    halved: bool = False
    order: ClassVar[int] = 3

    def integrals(self, h: float, n: int) -> list[float]:
        found = moments(h, n)
        if not self.halved:
            return found
        return midpoint(h, n) if n < 3 else [*found[:2], found[2] / 2]


@dataclass(frozen=True)
class DPMSolverPP2S(Sampler):
    """DPM-Solver++ 2S (Lu et al. 2022b, algorithm 1): second order without a history, one evaluation a step.

    Of every two steps of the grid, the first is the point in between and the second starts again from where the first
    did; on levels even in log-SNR that point lies at r = 1/2. A single step that is left over and the one to +inf are
    of first order.
    """

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        levels, known, start = exact_grid(grid), deque[PastEstimate](maxlen=2), x
        for i, (t, s) in enumerate(itertools.pairwise(levels)):
            known.appendleft(PastEstimate(denoise(x, grid[i]).x0, t))
            if torch.isinf(s):
                x = known[0].x0
            elif i % 2:
                x = _from(start, known, levels[i - 1], s)
            else:
                start, x = x, _from(x, [known[0]], t, s)
            yield Step(x, known[0].x0, grid[i + 1])


def _from(x: State, known: Sequence[PastEstimate], t: LogSNR, s: LogSNR) -> State:
    w = weights(along(known, t, s), midpoint((s - t).item() / 2, len(known)))
    return advance(x, known, w, t, s)

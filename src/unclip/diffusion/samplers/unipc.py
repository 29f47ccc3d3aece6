"""UniPC (Zhao et al. 2023): a predictor like DPM-Solver++'s and a corrector that costs no evaluation.

The prediction's evaluation at s, needed for the next step anyway, first serves to repeat the step to s with one point
more: order p + 1. B(h) = h (bh1) or 1 - e^-h (bh2) only matters where the paper halves instead of integrating, in the
predictor of order 2 and the corrector of order 1: there the line's integral is taken as B(h)/2.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from unclip.core.config.ranges import Range
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.samplers.base import Sampler, Step, exact_grid
from unclip.diffusion.samplers.dpm_solver import PastEstimate, advance, along
from unclip.diffusion.samplers.polynomial import moments, weights


@dataclass(frozen=True)
class UniPC(Sampler):
    """UniPC (Zhao et al. 2023): predictor and corrector, one evaluation a step; better than 2M at 5 to 10 steps.

    Args:
        order: of the predictor; the corrector has one more. It falls to 1 on the way to +inf.
        solver: the paper's B(h): "bh1" is h, "bh2" is 1 - e^-h.
    """

    order: Annotated[int, Range(1, 3)] = 2
    solver: Literal["bh1", "bh2"] = "bh2"

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        levels, known = exact_grid(grid), deque[PastEstimate](maxlen=self.order)
        start, used = x, 0  # where the last step began and how many estimates it used
        for i, (t, s) in enumerate(itertools.pairwise(levels)):
            now = PastEstimate(denoise(x, grid[i]).x0, t)
            if used:
                x = self._solve(start, [*list(known)[:used], now], levels[i - 1], t)
            known.appendleft(now)
            used = min(len(known), _left(levels, i))
            start, x = x, now.x0 if torch.isinf(s) else self._solve(x, list(known)[:used], t, s)
            yield Step(x, now.x0, grid[i + 1])

    def _solve(self, x: State, known: Sequence[PastEstimate], t: LogSNR, s: LogSNR) -> State:
        """The step from t to s; the integral of a line through two points is B(h)/2, that of others exact."""
        h, n = (s - t).item() / 2, len(known)
        integrals = moments(h, n)
        if n == 2:
            integrals[1] = (h if self.solver == "bh1" else integrals[0]) / 2
        return advance(x, known, weights(along(known, t, s), integrals), t, s)


def _left(levels: LogSNR, i: int) -> int:
    """The highest order so near to +inf: one for each step up to it."""
    return len(levels) - 1 - i if torch.isinf(levels[-1]) else len(levels)

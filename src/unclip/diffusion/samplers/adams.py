"""Multistep solvers of eps: with s = sigma/alpha the flow is d(x/alpha)/ds = eps, and eps is a polynomial.

    x' = alpha' x0 + sigma' eps + alpha' (s' - s) sum_j w_j (eps_j - eps)

which is DDIM where eps stands still. They differ in what eps is a polynomial of:

    LMS     s (k-diffusion; DEIS's AB in rho)                         exact integral over s
    DEIS    log s (Zhang & Chen 2023, AB in log-rho)                  exact integral over s
    IPNDM   the step's number (the same paper's improved PNDM)        Adams and Bashforth's fixed weights
"""

import itertools
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.ranges import Range
from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR, State
from unclip.core.untyped import floats
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers.base import Sampler, Step, exact_grid
from unclip.diffusion.samplers.polynomial import even, moments, weights

Span = Float[Tensor, " n"]


class _Adams(Sampler):
    """One evaluation a step; the first steps are of lower order."""

    order: int

    @abstractmethod
    def mean_weights(self, levels: Span) -> list[float]:
        """Weights of the estimates in the mean of eps over the last step of `levels`, newest first, sum 1.

        levels: where the estimates were made, oldest first, and where the step ends.
        """

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        levels, known = exact_grid(grid), deque[State](maxlen=self.order)
        for i, (t, s) in enumerate(itertools.pairwise(levels)):
            p = denoise(x, grid[i])
            known.appendleft(p.eps)
            w = self.mean_weights(levels[i + 1 - len(known) : i + 2])
            bend = sum(weight * (eps - p.eps) for weight, eps in zip(w, known, strict=True))
            x = alpha(s) * p.x0 + sigma(s) * p.eps + alpha(s) * (torch.exp(-s / 2) - torch.exp(-t / 2)) * bend
            yield Step(x, p.x0, grid[i + 1])


def _nodes(places: Span) -> list[float]:
    """Places of the estimates, newest first, where the step begins at 0 and ends at 1."""
    return floats(((places[:-1] - places[-2]) / (places[-1] - places[-2])).flip(0))


@dataclass(frozen=True)
class LMS(_Adams):
    """The linear multistep method of k-diffusion: eps is a polynomial in sigma/alpha. One evaluation a step.

    Args:
        order: how many estimates a step uses; the first steps have fewer.
    """

    order: Annotated[int, Range(1, 4)] = 4

    def mean_weights(self, levels: Span) -> list[float]:
        return weights(_nodes(torch.exp(-levels / 2)), even(len(levels) - 1))


@dataclass(frozen=True)
class DEIS(_Adams):
    """DEIS (Zhang & Chen 2023, AB in log-rho): eps is a polynomial in log-SNR. One evaluation a step.

    The step to +inf is of first order, because the logarithm ends there.

    Args:
        order: how many estimates a step uses; the first steps have fewer.
    """

    order: Annotated[int, Range(1, 3)] = 3

    def mean_weights(self, levels: Span) -> list[float]:
        n = len(levels) - 1
        if torch.isinf(levels[-1]):
            return [1.0] + [0.0] * (n - 1)
        found = moments(-(levels[-1] - levels[-2]).item() / 2, n)
        return weights(_nodes(levels), [m / found[0] for m in found])


@dataclass(frozen=True)
class IPNDM(_Adams):
    """Improved PNDM (Zhang & Chen 2023): fixed Adams-Bashforth weights. One evaluation a step.

    It is exact for even steps of sigma/alpha, otherwise of second order.

    Args:
        order: how many estimates a step uses; the first steps have fewer.
    """

    order: Annotated[int, Range(1, 4)] = 4

    def mean_weights(self, levels: Span) -> list[float]:
        n = len(levels) - 1
        return weights([float(-j) for j in range(n)], even(n))

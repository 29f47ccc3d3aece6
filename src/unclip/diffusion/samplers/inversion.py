"""DDIM backwards, from an image to the noise that DDIM would make it from (Song et al. 2021a, section 4.3).

With eps taken at the noisier level t, where DDIM will be when it comes back:

    x_t = alpha_t (x_s - sigma_s eps)/alpha_s + sigma_t eps,    eps = eps(x_t, t)

x_t stands on both sides: the first guess is x_s in its place (what diffusers' DDIMInverseScheduler does), each further
iteration puts in the last x_t (Pan et al. 2023) until DDIM at eta 0 on the same grid returns what was put in.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers.base import Step, check_grid, exact_grid


@dataclass(frozen=True)
class DDIMInversion(Config):
    """DDIM backwards (Song et al. 2021a, section 4.3): from clean data to the noise that DDIM makes them from.

    It is not a `Sampler`, because it starts from clean data and needs no noise.

    Args:
        iterations: evaluations of the network in each step; the more, the more exact.
    """

    iterations: Annotated[int, Range(1, 1000)] = 1

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR) -> Iterator[Step]:
        """Yields the steps from the clean x at grid[-1], [b, ...], back to grid[0].

        grid: the one that the sampler walked, noisy to clean. Raises ValueError at once where it does not rise.
        """
        check_grid(grid)
        return self._walk(denoise, x, grid)

    def _walk(self, denoise: Denoise, x: State, grid: LogSNR) -> Iterator[Step]:
        for there, (s, t) in zip(grid.flip(0)[1:], itertools.pairwise(exact_grid(grid).flip(0)), strict=True):
            eps = denoise(x, there).eps
            for _ in range(self.iterations - 1):
                eps = denoise(alpha(t) * _clean(x, eps, s) + sigma(t) * eps, there).eps
            x0 = _clean(x, eps, s)
            x = alpha(t) * x0 + sigma(t) * eps
            yield Step(x, x0, there)


def _clean(x: State, eps: State, s: LogSNR) -> State:
    return (x - sigma(s) * eps) / alpha(s)

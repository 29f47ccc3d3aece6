"""RePaint (Lugmayr et al. 2022, algorithm 1): fills the unknown part of an image with an unconditional model.

Each step makes the unknown part by the reverse process and the known part by noising the image to the same level:

    x_s = m (alpha_s known + sigma_s z) + (1 - m) x_s^unknown

So that the two parts come to fit, the walk goes back: where the number of steps that are left is a multiple of `jump`,
it returns `jump` steps by q(x_t | x_s) and walks them again, `resamples` times in all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.forward import one_step
from unclip.diffusion.level import noised
from unclip.diffusion.samplers.base import Step, check_fraction, check_grid, check_known, fresh
from unclip.diffusion.samplers.ddim import reverse


@dataclass(frozen=True)
class RePaint:
    """RePaint (Lugmayr et al. 2022, algorithm 1): fills the unknown part of images with an unconditional model.

    It is called like a `Sampler`; `Diffusion.walk` takes it as `by`.

    Args:
        known: the images, of the state's shape [b, ...].
        mask: 1 where `known` is known and 0 where it is to be filled, broadcast to its shape.
        jump: how many steps the walk goes back each time.
        resamples: how often each part is walked in all; about the factor of evaluations.
        eta: how much fresh noise a step adds, as for `DDIM`.

    Raises:
        ValueError: for numbers below 1, and for a mask of other values or another shape.
    """

    known: State
    mask: Float[Tensor, "..."]
    jump: int = 10
    resamples: int = 10
    eta: float = 1.0

    def __post_init__(self) -> None:
        check_fraction("eta", self.eta)
        if self.jump < 1 or self.resamples < 1:
            raise ValueError(f"jump = {self.jump}, resamples = {self.resamples}: both must be at least 1")
        check_known(self.known, self.mask)

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        """Yields every step towards the clean end, also those that are walked again.

        Raises ValueError at once where the grid does not rise, has no more than `jump` steps, or x has another shape
        than the known images.
        """
        check_grid(grid)
        if self.resamples > 1 and self.jump >= len(grid) - 1:
            raise ValueError(
                f"jump = {self.jump}: must be below the grid's {len(grid) - 1} steps, or nothing is resampled"
            )
        if x.shape != self.known.shape:
            raise ValueError(f"x of shape {tuple(x.shape)}: the known image has {tuple(self.known.shape)}")
        return self._walk(denoise, x, grid, noise)

    def visits(self, steps: int) -> Iterator[tuple[int, int]]:
        """Yields (index from, index to) for every move on a grid of `steps` steps; a move back is a jump."""
        again = dict.fromkeys(range(0, steps - self.jump, self.jump), self.resamples - 1)
        i = 0
        while i < steps:
            yield i, i + 1
            i += 1
            if again.get(steps - i, 0):
                again[steps - i] -= 1
                yield i, i - self.jump
                i -= self.jump

    def evaluations(self, steps: int) -> int:
        """How many steps are yielded on a grid of `steps` steps, also those that are walked again."""
        return sum(i < j for i, j in self.visits(steps))

    def _walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for i, j in self.visits(len(grid) - 1):
            if j < i:
                x = one_step(x, grid[i], grid[j]).draw(noise)
                continue
            p, z = denoise(x, grid[i]), fresh(x, noise)
            mean, k = reverse(p, grid[i], grid[j], self.eta)
            x = torch.where(self.mask == 1, noised(self.known, grid[j], z), mean + k * z)  # no element takes z twice
            yield Step(x, p.x0, grid[j])

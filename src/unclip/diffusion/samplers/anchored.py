"""Any sampler, with a part of the image known: the clean estimate is right there at every step.

    x0 = m known + (1 - m) x0_hat,    eps = (x - alpha x0) / sigma

So the known part of the state walks from its own noise straight to the image, and the rest is denoised beside it.
For networks that see what is known (GLIDE's inpainting), which need not be told twice: no resampling (`RePaint`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR, State, Tensor
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.samplers.base import Sampler, Step, check_known


@dataclass(frozen=True)
class Anchored:
    """Any sampler where part of the images is known, for networks that see the known part (GLIDE's inpainting).

    At every step the clean estimate is replaced by `known` where that is known. It is called like a `Sampler`;
    `Diffusion.walk` takes it as `by`.

    Args:
        known: the images, of the state's shape [b, ...].
        mask: 1 where `known` is known and 0 where it is to be filled, broadcast to its shape.
        sampler: the sampler that walks.
    """

    known: State
    mask: Float[Tensor, "..."]
    sampler: Sampler

    def __post_init__(self) -> None:
        check_known(self.known, self.mask)

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        """Yields the sampler's steps; in the last, the known part equals `known`. Raises as the sampler does."""

        def at(x: State, log_snr: LogSNR) -> Prediction:
            p = denoise(x, log_snr)
            return replace(Prediction.from_x0(self._right(p.x0), x, log_snr), variance_mix=p.variance_mix)

        return self._exact(self.sampler(at, x, grid, noise))

    def _right(self, x0: State) -> State:
        return torch.where(self.mask == 1, self.known, x0)

    def _exact(self, steps: Iterator[Step]) -> Iterator[Step]:
        """A solver of higher order extrapolates, which rounds."""
        for step in steps:
            yield replace(step, x=self._right(step.x)) if torch.isinf(step.log_snr) else step

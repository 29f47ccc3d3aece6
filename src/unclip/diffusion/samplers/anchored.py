"""Any sampler, with a part of the picture known: the clean estimate is right there at every step.

    x0 = m known + (1 - m) x0_hat,    eps = (x - alpha x0) / sigma

So the known part of the state walks from its own noise straight to the picture, and the rest is denoised beside it.
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
    """A walk like a `Sampler`'s, but about one picture, so it is no setting. mask: 1 where `known` is known, else 0."""

    known: State
    mask: Float[Tensor, "..."]
    sampler: Sampler

    def __post_init__(self) -> None:
        check_known(self.known, self.mask)

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        """The sampler's steps; at the last one the known part is `known` exactly. Raises as the sampler does."""

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

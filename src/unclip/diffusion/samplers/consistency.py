"""Sampling from a consistency model (Song et al. 2023, algorithm 1): to the clean image, and noised to the next level.

    x_s = alpha_s x0 + sigma_s z,    z ~ N(0, I)        at each level of the grid; at the last one x0 itself

It is for a network whose x0 is already an image (`GuidanceInput(jump=True)`): of a plain denoiser, whose x0 is a mean,
it makes a blurred one.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.level import noised
from unclip.diffusion.samplers.base import Sampler, Step, fresh


@dataclass(frozen=True)
class Consistency(Sampler):
    """Multistep consistency sampling (Song et al. 2023, algorithm 1): all noise is fresh at every step."""

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for t, s in itertools.pairwise(grid):
            p = denoise(x, t)
            x = p.x0 if torch.isinf(s) else noised(p.x0, s, fresh(x, noise))
            yield Step(x, p.x0, s)

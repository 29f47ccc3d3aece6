"""What every sampler is: a walk along a grid of log-SNR from noise to image that yields every step.

A step goes from level t to the cleaner s. lambda = l/2, h = lambda_s - lambda_t, c = 1 - SNR_t/SNR_s.
Coefficients are taken from the grid in float64 on the CPU, where they are numbers; the state keeps its dtype.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.core.untyped import check_broadcast, floats
from unclip.diffusion.denoiser import Denoise


@dataclass(frozen=True)
class Step:
    """What a sampler yields after each step.

    Args:
        x: the state, [b, ...].
        x0: the clean estimate that led to it, [b, ...]; good for a preview.
        log_snr: the level reached; +inf: clean.
    """

    x: State
    x0: State
    log_snr: LogSNR


@runtime_checkable
class Walk(Protocol):
    """All that `Diffusion` asks of a sampler; what knows an image walks so too, and is not a setting."""

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]: ...


class Sampler(Config, ABC):
    """The base class of all samplers: a generator of the steps from noise to a clean sample.

    One of your own is a frozen dataclass that defines `walk` (docs/samplers.md). name: what a person may type for one
    without arguments, besides the name of its class.
    """

    name: ClassVar[str] = ""

    @property
    def needs_variance(self) -> bool:
        """Whether the network must have learned a variance."""
        return False

    def __call__(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        """Yields a `Step` for each level of the grid after the first, from grid[0] to grid[-1].

        Args:
            denoise: the denoiser, with guidance and condition built in.
            x: the state at grid[0], [b, ...].
            grid: rising log-SNR, [steps + 1]; the last may be +inf, which is clean.
            noise: where the sampler's own noise is drawn from.

        Raises:
            ValueError: at once, where the grid is not a list of at least two levels that rise.
        """
        check_grid(grid)
        return self.walk(denoise, x, grid, noise)

    @abstractmethod
    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        """Yields the steps on a grid that is known to rise; the arguments are those of a call.

        A solver of high order begins with steps of lower order.
        """


def check_grid(grid: LogSNR) -> None:
    """Raises ValueError where `grid` is not a list of at least two levels that rise; only the last may be +inf."""
    if grid.dim() != 1 or len(grid) < 2:
        raise ValueError(f"grid of shape {tuple(grid.shape)}: a sampler walks a list of at least 2 levels of log-SNR")
    levels = floats(grid)
    for i, (t, s) in enumerate(itertools.pairwise(levels)):
        if not -torch.inf < t < s:
            raise ValueError(f"grid[{i}:{i + 2}] = {t:.6g}, {s:.6g}: log-SNR must rise from noisy to clean at every "
                             "step, only the last may be +inf; those of unclip.diffusion.grids do")  # fmt: skip


def check_known(known: State, mask: Tensor) -> None:
    """Raises ValueError where `mask` is not 1 (known) or 0 everywhere, or does not fit the image `known`."""
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask: needs 1 where the image is known and 0 elsewhere, nothing in between")
    try:
        check_broadcast(known.shape, mask.shape)
    except RuntimeError:
        raise ValueError(f"mask of shape {tuple(mask.shape)} does not fit an image of shape "
                         f"{tuple(known.shape)}") from None  # fmt: skip


def exact_grid(grid: LogSNR) -> Tensor:
    """The grid in float64 on the CPU: its entries multiply states of any dtype and place as numbers do."""
    return grid.detach().cpu().double()


def check_fraction(name: str, value: float) -> None:
    """Raises ValueError where `value` lies outside [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} = {value}: lies in [0, 1]; 0 is deterministic, 1 the reverse process's own noise")


def fresh(x: State, noise: Noise) -> Tensor:
    """N(0, I) like x."""
    return noise.normal(x.shape).to(x.dtype)

"""The trace of a Jacobian J of a field, from products v^T J: sum over probes of v^T J v.

Rademacher, GaussianProbes: v random with E v v^T = I/probes (Hutchinson 1990), unbiased; ExactTrace: all basis vectors.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range
from unclip.core.noise import Noise
from unclip.core.typing import Float, PerSample, State

Probes = Float[Tensor, "p b ..."]


class Trace(Config, ABC):
    """Base of the traces."""

    @abstractmethod
    def draw(self, x: State, noise: Noise) -> Probes:
        """The probes, drawn once for a whole path, so that what the solver sees is smooth."""


@dataclass(frozen=True)
class Rademacher(Trace):
    """Hutchinson's estimate of a trace with random signs; exact where the Jacobian is diagonal.

    Args:
        probes: how many random vectors are averaged.
    """

    probes: Annotated[int, Range(1, 65536)] = 1

    def draw(self, x: State, noise: Noise) -> Probes:
        signs = torch.stack([torch.where(noise.uniform(x.shape) < 0.5, -1.0, 1.0) for _ in range(self.probes)])
        return signs.to(x.dtype) / self.probes**0.5


@dataclass(frozen=True)
class GaussianProbes(Trace):
    """Hutchinson's estimate of a trace with normal numbers.

    Args:
        probes: how many random vectors are averaged.
    """

    probes: Annotated[int, Range(1, 65536)] = 1

    def draw(self, x: State, noise: Noise) -> Probes:
        return torch.stack([noise.normal(x.shape) for _ in range(self.probes)]).to(x.dtype) / self.probes**0.5


@dataclass(frozen=True)
class ExactTrace(Trace):
    """The exact trace, by as many products as there are dimensions: for small data and for tests."""

    def draw(self, x: State, noise: Noise) -> Probes:
        size = x[0].numel()
        basis = torch.eye(size, dtype=x.dtype, device=x.device).view(size, 1, *x.shape[1:])
        return basis.expand(size, *x.shape)


def trace(value: State, x: State, probes: Probes) -> PerSample:
    """Of d value / d x, where sample i of value depends on sample i of x alone. Frees value's graph."""
    total = value.new_zeros(len(x))
    for i, probe in enumerate(probes):
        (product,) = torch.autograd.grad(value, x, probe, retain_graph=i + 1 < len(probes))
        total = total + (product * probe).flatten(1).sum(1)
    return total

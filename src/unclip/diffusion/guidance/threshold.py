"""Thresholding of a guided x0 (Imagen, Saharia et al. 2022, section 2.3): data that live in [-limit, limit] stay there.

static    clamp(x0, -limit, limit)
dynamic   limit clamp(x0, -s, s) / s  with  s = max(limit, percentile of |x0| in the sample)
"""

from dataclasses import dataclass

import torch

from unclip.core.typing import State, Tensor
from unclip.diffusion.guidance.adjusted import Adjusted


@dataclass(frozen=True)
class StaticThreshold(Adjusted):
    """Cuts what lies outside: colours saturate at high scales, but never leave the range."""

    limit: float = 1.0

    def __post_init__(self) -> None:
        check_limit(self.limit)

    def adjust(self, x0: State, conditional: State) -> Tensor:
        return x0.clamp(-self.limit, self.limit)


@dataclass(frozen=True)
class DynamicThreshold(Adjusted):
    """Scales a picture that leaves the range back into it; only what lies beyond the percentile is cut.

    percentile: a share, 0.995. `of` must not clamp, or nothing is left to scale.
    """

    percentile: float = 0.995
    limit: float = 1.0

    def __post_init__(self) -> None:
        check_limit(self.limit)
        if not 0 < self.percentile <= 1:
            raise ValueError(f"percentile = {self.percentile}: a share in (0, 1], such as 0.995")

    def adjust(self, x0: State, conditional: State) -> Tensor:
        s = torch.quantile(x0.abs().flatten(1), self.percentile, dim=1).clamp(min=self.limit)
        s = s.view(-1, *[1] * (x0.dim() - 1))
        return x0.clamp(-s, s) * (self.limit / s)


def check_limit(limit: float) -> None:
    """Raises ValueError where no range is left."""
    if not limit > 0:
        raise ValueError(f"limit = {limit}: clean data lie in [-limit, limit], above 0; 1 for pictures")

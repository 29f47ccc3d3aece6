"""Thresholding of a guided x0 (Imagen, Saharia et al. 2022, section 2.3): data that live in [-limit, limit] stay there.

static    clamp(x0, -limit, limit)
dynamic   limit clamp(x0, -s, s) / s  with  s = max(limit, percentile of |x0| in the sample)
"""

from dataclasses import dataclass
from typing import Annotated

import torch

from unclip.core.config.ranges import Positive, Range
from unclip.core.typing import State, Tensor
from unclip.diffusion.guidance.adjusted import Adjusted


@dataclass(frozen=True)
class StaticThreshold(Adjusted):
    """Static thresholding (Imagen, Saharia et al. 2022, section 2.3): clamps the guided x0 to [-limit, limit].

    Colours saturate at high scales, but never leave the range.

    Args:
        of: the guidance to clamp.
        limit: the largest absolute value of clean data; 1 for images.
    """

    limit: Positive = 1.0

    def adjust(self, x0: State, conditional: State) -> Tensor:
        return x0.clamp(-self.limit, self.limit)


@dataclass(frozen=True)
class DynamicThreshold(Adjusted):
    """Dynamic thresholding (Imagen, Saharia et al. 2022, section 2.3): scales images back into the range.

    Only what lies beyond the percentile is cut.

    Args:
        of: the guidance to threshold; it must not clamp x0 itself, or nothing is left to scale.
        percentile: of the absolute values in a sample, as a fraction: 0.995.
        limit: the largest absolute value of clean data; 1 for images.
    """

    percentile: Annotated[float, Range(0, 1, above=True)] = 0.995
    limit: Positive = 1.0

    def adjust(self, x0: State, conditional: State) -> Tensor:
        s = torch.quantile(x0.abs().flatten(1), self.percentile, dim=1).clamp(min=self.limit)
        s = s.view(-1, *[1] * (x0.dim() - 1))
        return x0.clamp(-s, s) * (self.limit / s)

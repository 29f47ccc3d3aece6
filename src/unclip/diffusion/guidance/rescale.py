"""Rescaled guidance (Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed", section 3.4).

    x0 = phi x0_guided std(x0_cond)/std(x0_guided) + (1 - phi) x0_guided,   std over all dimensions of one sample

Guidance widens the estimate's spread, which overexposes images; this brings back the conditional's. On x0, whose
spread is that of the image; on eps it would mean something else.
"""

from dataclasses import dataclass

import torch

from unclip.core.config.ranges import Fraction
from unclip.core.typing import Float, State, Tensor
from unclip.diffusion.guidance.adjusted import Adjusted


@dataclass(frozen=True)
class Rescale(Adjusted):
    """Rescaled guidance (Lin et al. 2023, section 3.4): undoes the wider spread by which guidance overexposes images.

    Args:
        of: the guidance to correct.
        phi: how much; 0: not at all, 1: exactly the spread of the conditional estimate. The paper takes 0.7.
    """

    phi: Fraction = 0.7

    def adjust(self, x0: State, conditional: State) -> Tensor:
        spread = std(x0)
        ratio = torch.where(spread > 0, std(conditional) / spread, 1.0)  # a flat image has no spread to correct
        return x0 * (1 + self.phi * (ratio - 1))


def std(x: State) -> Float[Tensor, "b ..."]:
    """Standard deviation of each sample, shaped to multiply it."""
    return x.std(tuple(range(1, x.dim())), correction=0, keepdim=True)

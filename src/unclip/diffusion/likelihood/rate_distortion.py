"""Progressive decoding (DDPM, section 4.3, Fig. 5): how good the image is after so many bits.

To know x_t a receiver needs x_T, then each cleaner state: rate R_t = L_T + sum of L_{s-1} over s = T ... t + 1.
From x_t it shows x0_hat(x_t): distortion D_t = sqrt(mean (x_0 - x0_hat)^2) on the scale 0 ... 255.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.typing import Float, Int
from unclip.core.wide import narrow, wide
from unclip.diffusion.likelihood.bound import Bound


@dataclass(frozen=True)
class RateDistortion:
    """A curve of rate and distortion (DDPM, Ho et al. 2020, section 4.3): means over all images.

    Args:
        log_snr: of the states x_T ... x_1 and, last, of x_0 itself (+inf), [points].
        rate: bits per dimension that are known after each state, [points].
        distortion: the root mean squared error on 0 ... 255 after each state, [points].
    """

    log_snr: Float[Tensor, " points"]
    rate: Float[Tensor, " points"]
    distortion: Float[Tensor, " points"]


def rate_distortion(bounds: Sequence[Bound]) -> RateDistortion:
    """Computes the curve of rate and distortion from the bounds of all batches; the network is not evaluated again.

    Raises ValueError where the bounds belong to different levels, or a step was visited for no image at all.
    """
    levels = bounds[0].levels
    if any(not torch.equal(b.levels, levels) for b in bounds):
        raise ValueError("the bounds were taken at different levels; use one grid for all batches")
    index = torch.cat([b.index for b in bounds])
    kl, mse = (_by_step(index, torch.cat([getattr(b, n) for b in bounds]), len(levels) - 1) for n in ("kl", "mse"))
    terminal, decoder, last = (
        wide(torch.cat([getattr(b, n) for b in bounds])).mean() for n in ("terminal", "decoder", "decoder_mse")
    )
    rate = torch.cat([terminal[None], kl, decoder[None]]).cumsum(0)
    distortion = torch.cat([mse, last[None], last.new_zeros(1)]).sqrt() * 127.5
    ends = torch.cat([levels, levels.new_tensor([torch.inf])])
    return RateDistortion(ends, narrow(rate, levels), narrow(distortion, levels))


def _by_step(index: Int[Tensor, "b n"], values: Float[Tensor, "b n"], steps: int) -> Float[Tensor, " steps"]:
    """The mean of the values that were found at each step."""
    index, values = index.flatten(), wide(values).flatten()
    index = index.to(values.device)
    count = values.new_zeros(steps).index_add_(0, index, torch.ones_like(values))
    if (count == 0).any():
        missed = int((count == 0).sum())
        raise ValueError(f"{missed} of {steps} steps were visited for no image; give more images, or at = 0 (all)")
    return torch.zeros_like(count).index_add_(0, index, values) / count

"""How densely a schedule draws its levels: with t uniform, the density of l is 1/slope, slope = -dl/dt."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from unclip.core.typing import Float, LogSNR
from unclip.core.wide import wide
from unclip.diffusion.schedules.base import Schedule

KNOTS = 4097


def slope(schedule: Schedule, log_snr: LogSNR) -> LogSNR:
    """-dl/dt at these levels, by differences over 4096 pieces of time; 0 at and beyond the schedule's ends.

    Multiplied with it, a mean over drawn levels becomes an integral over the log-SNR between the ends.
    """
    here = wide(log_snr).contiguous()
    levels, slopes = (part.to(here.device) for part in _table(schedule))
    place = torch.searchsorted(levels, here, right=True)
    place = place.masked_fill(here <= levels[0], 0)  # a clipped schedule stays at its end for a while
    return slopes[place].to(log_snr)


@lru_cache(maxsize=8)
def _table(schedule: Schedule) -> tuple[Float[Tensor, " knots"], Float[Tensor, " slopes"]]:
    """Rising levels and, for what lies before, between and after them, the slope. Knots are denser at both ends."""
    t = (1 - torch.cos(torch.linspace(0, math.pi, KNOTS, dtype=torch.float64))) / 2
    levels = wide(schedule(t))
    pieces = -levels.diff() / t.diff()
    return levels.flip(0), torch.cat([pieces.new_zeros(1), pieces.flip(0), pieces.new_zeros(1)])

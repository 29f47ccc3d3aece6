"""The bound's part in iDDPM's hybrid loss (Nichol & Dhariwal 2021, Eq. 16): L_simple + lambda L_vlb.

L_vlb teaches the variance alone: the mean's gradient is stopped. The bound is a sum over the T levels of the schedule's
grid. A level that training draws stands for the nearest of them, and its term is divided by how often a draw is nearest
to it, so that the mean over draws is the sum, whatever the schedule draws. On a table training draws the T levels
themselves and nothing is approximated; elsewhere the network's estimate at the drawn level stands for that at the
nearest, which of 1000 levels is near.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from unclip.core.typing import Float, Int, PerSample, State
from unclip.core.wide import narrow, wide
from unclip.diffusion.likelihood.bits import bits_a_dimension
from unclip.diffusion.likelihood.decoder import PixelLikelihood
from unclip.diffusion.likelihood.terms import last_log_variance, step_kl
from unclip.diffusion.schedules import Schedule

TINY = 1e-12
"""No level is drawn that stands for a smaller fraction; it keeps a division from 0."""


class Cells(NamedTuple):
    """The T levels of a grid, noisy to clean, the bounds of what is nearest to each, and how often a draw is."""

    levels: Float[Tensor, " T"]
    bounds: Float[Tensor, " bounds"]
    fraction: Float[Tensor, " T"]

    @classmethod
    def of(cls, schedule: Schedule) -> "Cells":
        """The bounds lie half-way between neighbours; the outer ones as far beyond the first and last level.

        What is drawn beyond those, as some schedules do at their clean end, stands for no level of the grid.
        """
        levels = schedule.grid(schedule.length)[:-1].double()
        half = levels.diff() / 2
        bounds = torch.cat([levels[:1] - half[:1], levels[:-1] + half, levels[-1:] + half[-1:]])
        return cls(levels, bounds, schedule.fraction_below(bounds).diff())


class VarianceTerm:
    """What a level's draw adds to L_vlb in bits a dimension: the mean over the draws of training is L_vlb."""

    def __init__(self, schedule: Schedule, decoder: PixelLikelihood) -> None:
        self.cells = Cells.of(schedule)
        self.decoder = decoder

    def __call__(self, x0: State, estimate: State, mix: State, log_snr: PerSample) -> PerSample:
        """The terms [b] of levels as `schedule.draw` gave them. The gradient reaches `mix` and nothing else."""
        mean, mix, last = estimate.detach(), wide(mix), len(self.cells.levels) - 1
        levels, _, fraction = (part.to(mix.device) for part in self.cells)
        place = self._nearest(log_snr)
        index = place.clamp(0, last)
        kl = step_kl(x0, mean, mix, levels[index], levels[(index + 1).clamp(max=last)])
        terms = torch.where(place == index, wide(kl), 0.0)
        ends = (place == last).nonzero()[:, 0]
        if len(ends):
            here, before = levels[last].expand(len(ends)), levels[last - 1].expand(len(ends))
            log_variance = last_log_variance(x0[ends], mix[ends], here, before)
            nats = self.decoder.nats(x0[ends], mean[ends], log_variance)
            terms = terms.index_put((ends,), wide(bits_a_dimension(nats, x0[ends])))
        return narrow(terms / fraction[index].clamp(min=TINY), x0)

    def _nearest(self, log_snr: PerSample) -> Int[Tensor, " b"]:
        """The index of the nearest level: 0 is x_T, T - 1 is x_1; -1 and T are beyond the outer bounds."""
        level = wide(log_snr).contiguous()
        return torch.searchsorted(self.cells.bounds.to(level.device), level, right=True) - 1

"""The bound's part in iDDPM's hybrid loss (Nichol & Dhariwal 2021, Eq. 16): L_simple + lambda L_vlb.

L_vlb teaches the variance alone: the mean's gradient is stopped. A level drawn anywhere between two of the T levels of
the schedule takes the step that lies one entry further; beyond the last but one it is the decoder's, L_0.
"""

import torch
from torch import Tensor

from unclip.core.typing import Float, PerSample, State
from unclip.diffusion.likelihood.bits import bits_a_dimension
from unclip.diffusion.likelihood.decoder import Decoder
from unclip.diffusion.likelihood.terms import last_log_variance, step_kl
from unclip.diffusion.schedules import Schedule


class VarianceTerm:
    """T times the bound's term at each level, so that its mean over levels is L_vlb in bits a dimension."""

    def __init__(self, schedule: Schedule, decoder: Decoder) -> None:
        self.levels = schedule.grid(schedule.length)[:-1].double()
        self.decoder = decoder

    def __call__(self, x0: State, estimate: State, mix: State, log_snr: PerSample) -> PerSample:
        """The gradient reaches `mix` and nothing else."""
        place = self._place(log_snr)
        mean, mix, last = estimate.detach(), mix.double(), len(self.levels) - 1
        kl = step_kl(x0, mean, mix, log_snr, self._level((place + 1).clamp(max=last)))
        terms = torch.where(place > last - 1, x0.new_zeros(()), kl)
        ends = (place > last - 1).nonzero()[:, 0]
        if len(ends):
            before = self._level((place[ends] - 1).clamp(min=0))
            log_variance = last_log_variance(x0[ends], mix[ends], log_snr[ends], before)
            nats = self.decoder.nats(x0[ends], mean[ends], log_variance)
            terms = terms.index_put((ends,), bits_a_dimension(nats))
        return terms * len(self.levels)

    def _place(self, log_snr: PerSample) -> Float[Tensor, " b"]:
        """Where a level lies among the T: 0 is x_T, T - 1 is x_1."""
        levels = self.levels.to(log_snr.device)
        wide = log_snr.double()
        below = (torch.searchsorted(levels, wide, right=True) - 1).clamp(0, len(levels) - 2)
        part = (wide - levels[below]) / (levels[below + 1] - levels[below])
        return (below + part).clamp(0, len(levels) - 1)

    def _level(self, place: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
        levels = self.levels.to(place.device)
        below = place.floor().clamp(max=len(levels) - 2).long()
        return torch.lerp(levels[below], levels[below + 1], place - below)

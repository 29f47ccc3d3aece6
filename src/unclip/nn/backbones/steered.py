"""A network that is told its guidance: the scale, and whether it is to jump to the clean image, become an offset.

    cond.vector + A f(ln scale, jump)        f: sines and cosines, a hidden layer; A starts at zero

The vector of a condition is projected and added to the embedding of the noise level in every network here, so any of
them can be told so, with no weight of its own changed. With A = 0 it is the network as it was.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.typing import Float, PerSample, State, Vectors

HIDDEN = 64
WAVES = (1.0, 2.0, 4.0)
"""Frequencies of the sines of ln scale."""


class Steered(nn.Module):
    """A network with `Condition.guidance` as a further input; without any it is the network itself.

    Args:
        network: called with x, log_snr and a `Condition`.
        vector_width: of its `cond.vector`; 0: it has none, and can be told nothing.
    """

    def __init__(self, network: nn.Module, vector_width: int) -> None:
        super().__init__()
        self.network = network
        self.tell = nn.Linear(2 * len(WAVES), HIDDEN)
        self.tell_jump = nn.Linear(1, HIDDEN, bias=False)
        self.out = nn.Linear(HIDDEN, vector_width) if vector_width else None
        nn.init.zeros_(self.tell_jump.weight)  # at first a jump is what the denoiser says
        if self.out is not None:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, x: State, log_snr: PerSample, cond: Condition) -> Tensor:
        if cond.guidance is None or self.out is None or cond.vector is None:
            return self.network(x, log_snr, cond)
        return self.network(x, log_snr, replace(cond, vector=cond.vector + self.offset(cond.guidance)))

    def offset(self, guidance: Float[Tensor, "b 2"]) -> Vectors:
        """What is added to the condition's vector, [b, vector_width], for (scale, jump), [b, 2]."""
        assert self.out is not None
        angle = guidance[:, :1].clamp(min=1e-3).log() * guidance.new_tensor(WAVES)
        waves = torch.cat([angle.sin(), angle.cos()], dim=1)
        return self.out(F.silu(self.tell(waves) + self.tell_jump(guidance[:, 1:])))

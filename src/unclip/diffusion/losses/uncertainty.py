"""EDM2's learned uncertainty (Karras et al. 2024a): loss_i / exp(u(l_i)) + u(l_i).

At its optimum exp(u(l)) is the expected loss at level l, so every level sends gradients of the same size. u is a linear
layer on sines of the log-SNR and starts at 0: at first the loss is the plain one.
"""

import math

import torch
from torch import Tensor, nn

from unclip.core.typing import Float, LogSNR, PerSample

SPAN = 40.0
"""Log-SNR from -20 to 20."""


class Uncertainty(nn.Module):
    """`waves` sines and cosines, from half a wave over the whole span to a wave of `shortest` log-SNR; and a constant.

    Raises ValueError where waves < 1.
    """

    waves: Float[Tensor, " waves"]

    def __init__(self, waves: int = 16, shortest: float = 4.0) -> None:
        super().__init__()
        if waves < 1:
            raise ValueError(f"uncertainty = {waves}: number of waves, at least 1")
        lengths = torch.logspace(math.log10(2 * SPAN), math.log10(shortest), waves)
        self.register_buffer("waves", 2 * math.pi / lengths, persistent=False)
        self.linear = nn.Linear(2 * waves, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, log_snr: LogSNR) -> LogSNR:
        """u at these levels, float32 whatever the precision around it."""
        angle = log_snr.float()[..., None] * self.waves
        with torch.autocast(log_snr.device.type, enabled=False):
            return self.linear(torch.cat([angle.sin(), angle.cos()], dim=-1))[..., 0]

    def weigh(self, loss: PerSample, log_snr: PerSample) -> PerSample:
        """loss / exp(u) + u."""
        u = self(log_snr)
        return loss * torch.exp(-u) + u

"""Two networks that share the levels: one for the noisy ones, one for the clean ones (eDiff-I, Balaji et al. 2022).

A network has the same weights at all levels, though layout is decided at the noisy ones and texture at the clean ones;
experts know their part alone, at the cost of one network a step. Karlo's upsampler has one for its last step.
"""

from dataclasses import dataclass

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.ranges import Signed
from unclip.core.typing import Float, Images, PerSample
from unclip.nn.backbones.config import AroundConfig


@dataclass(frozen=True)
class ExpertsConfig(AroundConfig):
    """Settings of `Experts`.

    Args:
        of: each of the two networks.
        border: log-SNR; the second network is asked at this level and at all cleaner ones.
    """

    border: Signed = 0.0

    def build(self) -> "Experts":
        return Experts(self)


class Experts(nn.Module):
    """Asks, for each sample, the network that knows its level (eDiff-I, Balaji et al. 2022, section 4).

    It is called with x [b, c, h, w], log_snr [b] and a `Condition`, and returns what its networks do.
    """

    def __init__(self, config: ExpertsConfig) -> None:
        super().__init__()
        self.border = config.border
        self.noisy, self.clean = config.of.build(), config.of.build()

    def forward(self, x: Images, log_snr: PerSample, cond: Condition) -> Float[torch.Tensor, "b c2 h w"]:
        clean = log_snr >= self.border
        if bool(clean.all()) or not bool(clean.any()):
            return (self.clean if bool(clean.all()) else self.noisy)(x, log_snr, cond)
        parts = ((self.clean, clean.nonzero()[:, 0]), (self.noisy, (~clean).nonzero()[:, 0]))
        found = [net(x[rows], log_snr[rows], cond.map(lambda t, r=rows: t[r])) for net, rows in parts]
        order = torch.cat([rows for _, rows in parts]).argsort()
        return torch.cat(found)[order]

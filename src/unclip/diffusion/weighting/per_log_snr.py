"""Weights of a unit of log-SNR: loss = 1/2 integral of w(l) |eps - eps_hat|^2 dl (Kingma & Gao 2023).

VariationalBound  w = 1                 the bound itself in continuous time (VDM, Kingma et al. 2021, Eq. 18)
Sigmoid           w = sigmoid(bias - l) Kingma & Gao 2023; Hoogeboom et al. 2024 (SiD2)

The 1/2 is part of the weight here, so that `VariationalBound` trains the bound's nats a dimension.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from unclip.core.config.ranges import Range
from unclip.core.typing import LogSNR
from unclip.diffusion.weighting.base import Weighting


@dataclass(frozen=True)
class VariationalBound(Weighting):
    """The weight of maximum likelihood (VDM, Kingma et al. 2021, Eq. 18): every unit of log-SNR weighs the same.

    Most of this loss is detail that nobody sees.
    """

    per_log_snr: ClassVar[bool] = True

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.full_like(log_snr, 0.5)


@dataclass(frozen=True)
class SigmoidWeight(Weighting):
    """The bound of data with noise added: levels cleaner than `bias`, where w = 1/2, fade out.

    The larger the images, the lower it should be: their details drown at lower log-SNR (SiD2).
    """

    bias: Annotated[float, Range(-40, 40)] = 2.0
    per_log_snr: ClassVar[bool] = True

    def __call__(self, log_snr: LogSNR) -> Tensor:
        return torch.sigmoid(self.bias - log_snr) / 2

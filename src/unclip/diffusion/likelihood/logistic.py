"""The discretised logistic: the likelihood of 8-bit values that VAEs take since Kingma et al. 2016 (Eq. 13, section
C.1).

    P(x) = sigmoid(b) - sigmoid(a),    a, b = (x -+ half a bin - mean) / s
         = sigmoid(b) sigmoid(-a) (1 - exp(a - b))

The second form loses no digits however far x is from the mean. The first and the last bin reach to -inf and +inf, so
the probabilities of all values sum to 1. A logistic of scale s has the variance s^2 pi^2 / 3.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.typing import State
from unclip.diffusion.likelihood.decoder import Discretised

LOG_UNIT = math.log(math.pi**2 / 3)
"""The logarithm of the variance of a logistic of scale 1."""


@dataclass(frozen=True)
class DiscretisedLogistic(Discretised):
    """The likelihood of discrete values, by the mass of a logistic distribution in their bin (Kingma et al. 2016)."""

    def nats(self, x0: State, mean: State, log_variance: Tensor) -> State:
        """The negative log-likelihood of each dimension, in nats, in the precision of `mean`."""
        half, scale = 1 / (self.levels - 1), torch.exp((LOG_UNIT - log_variance) / 2)
        off = x0 - mean
        a, b = (off - half) * scale, (off + half) * scale
        below, above = F.logsigmoid(b), F.logsigmoid(-a)
        inside = below + above + torch.log(-torch.expm1(-2 * half * scale))
        return -torch.where(x0 < -1 + half, below, torch.where(x0 > 1 - half, above, inside))

"""A tighter bound by importance sampling (IWAE, Burda et al. 2016).

    log p(x) >= E[log 1/k sum_i w_i],    w_i = p(x, h_i) / q(h_i | x),   h_i ~ q

k = 1 is the evidence lower bound; the bound never falls with k and reaches log p(x) (theorem 1). h is the code of a
VAE, or the fraction of a bin that dequantises an image for a flow.
"""

import math
from collections.abc import Callable

import torch

from unclip.core.typing import Float, PerSample, Tensor
from unclip.core.wide import narrow, wide


def importance_bound(log_weights: Float[Tensor, "k b"]) -> Float[Tensor, " b"]:
    """log 1/k sum_i w_i of each sample, [b], in float64."""
    w = wide(log_weights)
    return torch.logsumexp(w, dim=0) - math.log(len(w))


def bits_by_importance(draw: Callable[[int], PerSample], k: int, dimensions: int) -> PerSample:
    """Bits/dim of each sample from k draws of log w, [b]. draw(i): the i-th. Raises ValueError for k < 1."""
    if k < 1:
        raise ValueError(f"k = {k}: a bound needs at least 1 sample")
    weights = torch.stack([draw(i) for i in range(k)])
    return narrow(-importance_bound(weights) / (dimensions * math.log(2)), weights)

"""Integrals of the polynomial through the estimates at hand: all that the multistep solvers differ in.

On u = (tau - tau_t)/(tau_s - tau_t), 0 at the start of a step and 1 at its end, earlier estimates stand at u < 0. A
solver integrates u^k against its own weight; the estimates' weights follow from these moments.
"""

import math
from collections.abc import Sequence

import torch

from unclip.core.untyped import floats, solve

ENOUGH = 18
"""Terms after which the series below stands to float64 for |h| <= 1: 1/18! is 2e-16."""


def moments(h: float, n: int) -> list[float]:
    """m_k = h int_0^1 e^(-h (1 - u)) u^k du for k < n: what u^k adds to a state that decays by e^-h over the step.

    m_k = 1 - k m_(k-1)/h from m_0 = 1 - e^-h; for small h, where that cancels, h sum_j (-h)^j k!/(k + j + 1)!.
    """
    if abs(h) <= 1:
        return [h * sum(_term(-h, k, j) for j in range(ENOUGH)) for k in range(n)]
    found = [-math.expm1(-h)]
    for k in range(1, n):
        found.append(1 - k * found[-1] / h)
    return found


def _term(x: float, k: int, j: int) -> float:
    return x**j * math.factorial(k) / math.factorial(k + j + 1)


def even(n: int) -> list[float]:
    """int_0^1 u^k du = 1/(k + 1) for k < n."""
    return [1 / (k + 1) for k in range(n)]


def weights(nodes: Sequence[float], moments: Sequence[float]) -> list[float]:
    """w with sum_j w_j nodes_j^k = moments_k for every k: exact for polynomials of degree len(nodes) - 1."""
    at = torch.tensor(nodes, dtype=torch.float64)
    powers = at ** torch.arange(len(nodes), dtype=torch.float64)[:, None]
    return floats(solve(powers, torch.tensor(moments, dtype=torch.float64)))

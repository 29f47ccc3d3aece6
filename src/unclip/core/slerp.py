"""Spherical interpolation (Shoemake 1985), for unit embeddings and for Gaussian noise alike.

    slerp(a, b, t) = (sin((1 - t) w) a + sin(t w) b) / sin w,    w the angle between a and b

Between unit vectors it turns at even speed. Noise of many dimensions has nearly one length, which it keeps; a straight
line would pass through shorter noise than any that a sampler has seen.
"""

import math

import torch

from unclip.core.typing import PerSample, State, Tensor
from unclip.core.untyped import norm
from unclip.core.wide import wide

NEAR = 1e-6
"""Radians: below this angle the arc is its chord; as near to opposite, the way is not determined."""


def angle(a: State, b: State) -> PerSample:
    """Radians between the vectors of each pair, in float64: 2 atan2(|u - v|, |u + v|), exact for near ones too."""
    u, v = (_unit(x) for x in (a, b))
    return 2 * torch.atan2(norm(u - v, 1), norm(u + v, 1))


def slerp(a: State, b: State, t: float | PerSample) -> State:
    """The vectors at share t of the way from a to b, one t for all or one each; at 0 it is a, at 1 b, bit for bit.

    Raises ValueError where two are opposite (no way between them is the shortest) or one is zero.
    """
    w = angle(a, b)
    t = (wide(t) if isinstance(t, Tensor) else torch.tensor(t)).to(w).expand(len(a))
    if (w > math.pi - NEAR).any():
        raise ValueError("two vectors are opposite to each other: no way between them is the shortest; take others")
    flat = w < NEAR
    sine = torch.where(flat, 1.0, w.sin())
    own, other = (torch.where(flat, share, (share * w).sin() / sine) for share in (1 - t, t))
    shape = (-1, *[1] * (a.dim() - 1))
    return (own.view(shape) * wide(a) + other.view(shape) * wide(b)).to(a)


def _unit(x: State) -> Tensor:
    flat = wide(x).flatten(1)
    length = norm(flat, 1, keepdim=True)
    if (length == 0).any():
        raise ValueError("a vector of zeros has no direction; take another one")
    return flat / length

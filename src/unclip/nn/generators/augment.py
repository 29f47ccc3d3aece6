"""Differentiable augmentation (Zhao et al. 2020): what keeps a critic of few images from learning them by heart.

    D sees T(x) and T(G(z)), T random, and the generator learns through T

so that images are seen shifted, partly hidden and in other light, and none of it shows in what is generated.

    colour      brightness + U(-1/2, 1/2); saturation x U(0, 2); contrast x U(1/2, 3/2)
    shift       by up to an eighth of the side, grey beyond the edge
    cutout      a square of half the side, grey
"""

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tensor

SHIFT, CUT = 1 / 8, 1 / 2
"""Of the side: the longest shift; the square that is hidden."""
HIDDEN = 0.0
"""The value where nothing is seen: middle grey of [-1, 1], as in the paper's code."""


def augmented(x: Images, noise: Noise) -> Images:
    """T(x), another T for each image."""
    n = len(x)
    u = noise.uniform((n, 7)).to(x.dtype)
    x = _coloured(x, u[:, 0], u[:, 1], u[:, 2])
    x = _shifted(x, u[:, 3], u[:, 4])
    return _cut(x, u[:, 5], u[:, 6])


def _coloured(x: Images, bright: PerSample, saturate: PerSample, contrast: PerSample) -> Images:
    x = x + (bright - 0.5)[:, None, None, None]
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * saturate)[:, None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (contrast + 0.5)[:, None, None, None]


def _shifted(x: Images, down: PerSample, right: PerSample) -> Images:
    """By whole pixels, so that no edge is smoothed."""
    rows, inside_rows = _moved(x.shape[2], down)
    columns, inside_columns = _moved(x.shape[3], right)
    batch = torch.arange(len(x), device=x.device)[:, None, None, None]
    channel = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    moved = x[batch, channel, rows[:, None, :, None], columns[:, None, None, :]]
    seen = (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]
    return torch.where(seen, moved, HIDDEN)


def _moved(side: int, u: PerSample) -> tuple[Tensor, Tensor]:
    """Where each place of an edge of `side` px is taken from, [b, side], and whether that lies in the image."""
    most = round(side * SHIFT)
    by = (u * (2 * most + 1)).floor().long() - most
    places = torch.arange(side, device=u.device)[None] - by[:, None]
    return places.clamp(0, side - 1), (places >= 0) & (places < side)


def _cut(x: Images, down: PerSample, right: PerSample) -> Images:
    """The square's middle lies anywhere in the image."""
    rows, columns = (_covered(side, u) for side, u in zip(x.shape[2:], (down, right), strict=True))
    return torch.where((rows[:, :, None] & columns[:, None, :])[:, None], HIDDEN, x)


def _covered(side: int, u: Float[Tensor, " b"]) -> Tensor:
    """Which places of an edge the square covers, [b, side]."""
    half = side * CUT / 2
    middle = u[:, None] * side
    places = torch.arange(side, device=u.device)[None] + 0.5
    return (places - middle).abs() < half

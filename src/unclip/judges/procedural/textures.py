"""Surfaces: ten kinds of texture between two colours, many at once.

A texture is a field t in [0, 1] over the image; a pixel is c0 + t (c1 - c0). Noise with a power spectrum 1/f^b has
the statistics of photographs at b = 2 (Field 1987); images of such parts teach a network much of what photographs do
(Baradad et al. 2021, "Learning to see by looking at noise").
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Int, PerSample, Tensor

KINDS = (
    "flat", "gradient", "radial", "stripes", "checks", "dots", "cells", "noise", "patches", "colour noise",
)  # fmt: skip
FEATURELESS = 3
"""The first so many kinds have neither grain nor edges."""
Field = Float[Tensor, "b size size"]
Fate = Float[Tensor, "b draws"]
DRAWS = 8


@dataclass(frozen=True)
class Texture:
    """Painted textures, with what they are: the kind and the exponent of the spectrum (0 where there is none)."""

    images: Images
    kind: Int[Tensor, " b"]
    exponent: PerSample


def spectral(n: int, size: int, exponent: PerSample, noise: Noise, channels: int = 1) -> Float[Tensor, "b c size size"]:
    """Gaussian noise whose power falls as 1/f^exponent, of mean 0 and variance 1 in each image and channel."""
    white = torch.fft.rfft2(noise.normal((n, channels, size, size)))
    fy, fx = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    f = (fx.square() + fy.square()).sqrt().clamp(min=1 / size)
    field = torch.fft.irfft2(white * f ** (-exponent[:, None, None, None] / 2), s=(size, size))
    field = field - field.mean((2, 3), keepdim=True)
    return field / field.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-6)


def colours(n: int, noise: Noise) -> Float[Tensor, "b 3"]:
    """Colours in [-1, 1]: a third of them grey, black or white, a third pure, a third any."""
    any_, choice = noise.uniform((n, 3)), noise.uniform((n, 3))
    low, high = any_.amin(1, keepdim=True), any_.amax(1, keepdim=True)
    pure = (any_ - low) / (high - low).clamp(min=1e-3)
    pure = pure * (0.5 + 0.5 * choice[:, 1:2]) + (1 - pure) * 0.15 * choice[:, 2:]
    grey = (choice[:, 1:2] * 1.6 - 0.3).clamp(0, 1).expand(-1, 3)
    which = choice[:, :1]
    return torch.where(which < 0.33, pure, torch.where(which < 0.55, grey, any_)) * 2 - 1


def _turned(fate: Fate, size: int) -> tuple[Field, Field]:
    """Coordinates in [-1, 1] about a random point, turned by a random angle."""
    line = (torch.arange(size) + 0.5) * 2 / size - 1
    angle = (fate[:, 0] * 2 * math.pi)[:, None, None]
    x, y = line[None, None] - fate[:, 1, None, None] + 0.5, line[None, :, None] - fate[:, 2, None, None] + 0.5
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


def _pitch(fate: Fate, size: int) -> Float[Tensor, "b 1 1"]:
    """Length of a period in units of the half side: 3 px to half the side."""
    return (2 / size * 3 * (size / 6) ** fate[:, 3])[:, None, None]


def _hard(wave: Field, fate: Fate) -> Field:
    """From a soft wave in [-1, 1] to one with edges, by chance."""
    return (wave * (0.7 + 6 * fate[:, 4, None, None].square())).clamp(-1, 1) / 2 + 0.5


def _stripes(fate: Fate, size: int) -> Field:
    u, _ = _turned(fate, size)
    return _hard((u / _pitch(fate, size) * 2 * math.pi).sin(), fate)


def _checks(fate: Fate, size: int) -> Field:
    u, v = (w / _pitch(fate, size) * math.pi for w in _turned(fate, size))
    return _hard(1.5 * u.sin() * v.sin(), fate)


def _dots(fate: Fate, size: int) -> Field:
    u, v = (w / _pitch(fate, size) for w in _turned(fate, size))
    away = ((u - u.round()).square() + (v - v.round()).square()).sqrt()
    return ((0.2 + 0.2 * fate[:, 5, None, None] - away) * 8 + 0.5).clamp(0, 1)


def _cells(fate: Fate, size: int) -> Field:
    """Distance to the nearest of 9 points in a jittered grid: stones, scales."""
    u, v = (w / (1.5 * _pitch(fate, size)) for w in _turned(fate, size))
    nearest = torch.full_like(u, 9.0)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            i, j = u.floor() + dx, v.floor() + dy
            h = (i * 12.9898 + j * 78.233 + fate[:, 5, None, None] * 50).sin() * 4375.85
            jx, jy = h - h.floor(), (h * 1.37) - (h * 1.37).floor()
            nearest = torch.minimum(nearest, (u - i - jx).square() + (v - j - jy).square())
    return nearest.sqrt().clamp(0, 1)


def _gradient(fate: Fate, size: int) -> Field:
    u, _ = _turned(fate, size)
    return (u * 0.6 + 0.5).clamp(0, 1)


def _radial(fate: Fate, size: int) -> Field:
    u, v = _turned(fate, size)
    return ((u.square() + v.square()).sqrt() * (0.5 + fate[:, 3, None, None])).clamp(0, 1)


_FIELDS: dict[str, Callable[[Fate, int], Field]] = {
    "flat": lambda fate, size: torch.zeros(len(fate), size, size),
    "gradient": _gradient,
    "radial": _radial,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "cells": _cells,
}


def paint(kind: Int[Tensor, " b"], size: int, noise: Noise) -> Texture:
    """Textures of these kinds, numbers of `KINDS`, in colours of their own."""
    n = len(kind)
    fate, c0, c1 = noise.uniform((n, DRAWS)), colours(n, noise), colours(n, noise)
    near = c0 + (c1 - c0) * (0.15 + 0.85 * fate[:, 6:7])  # some textures are faint
    t = torch.zeros(n, 3, size, size)
    exponent = 4 * fate[:, 7]
    for number, name in enumerate(KINDS):
        rows = (kind == number).nonzero()[:, 0]
        if len(rows) and name in _FIELDS:
            t[rows] = _FIELDS[name](fate[rows], size)[:, None].expand(-1, 3, -1, -1)
        elif len(rows):
            field = spectral(len(rows), size, exponent[rows], noise.fork(name), 3 if name == "colour noise" else 1)
            hard = 6.0 if name == "patches" else 0.5
            t[rows] = (field * hard / 2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)
    images = c0[:, :, None, None] + t * (near - c0)[:, :, None, None]
    return Texture(images, kind, exponent * (kind >= KINDS.index("noise")))

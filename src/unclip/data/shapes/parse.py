"""Read an image of the drawn-shapes world back into objects.

1. Foreground: pixels whose largest channel lies well below white; 4-connected components, specks dropped.
2. Colour: the palette entry nearest to the median of the component's core.
3. Coverage: each pixel's deviation from white, projected on the colour's; what is left over is off-colour.
4. Shape and size: the template with the smallest error, at and around the component's centre of mass, with

       error = (|coverage - template|^2 + |off-colour|^2) / |template|^2        (sums over the component's window)

Squares forgive mild blur and noise, which spread small errors, and punish missing or surplus area. A component that no
template explains has the shape "unknown", and so makes its image wrong (`score`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unclip.data.shapes.draw import CENTROID_BELOW, COLOURS, RADII, SHAPES, UNIT, Kind, coverage

Array = NDArray[np.floating[Any]]

UNKNOWN = "unknown"
FOREGROUND = 70.0
"""Least deviation from white, in the largest channel of 255; about 0.3 of any colour's coverage."""
SPECK = 6.0
"""Components of fewer px (at 32) are ignored; the smallest object has about 29."""
COLOUR_REACH = 80.0
"""Farthest RGB distance at which a colour still bears a palette name; palette colours are 150 or more apart."""
MISFIT = 0.16
"""Largest error of a known shape. Clean images stay below 0.03 and blurred ones (sigma 0.7 px at 32) below 0.13; a
square on its corner has 0.19, a bar 0.25, a half circle 0.36."""
_NAMES = tuple(COLOURS)
_PALETTE = np.asarray(list(COLOURS.values()), dtype=np.float32)
# A drawing a little too big or small keeps its name. Trials are arrays [k, 1, 1]; lengths in px at 32.
_STRETCH = (0.88, 1.0, 1.12)
_TRIAL_SIZES = [size for size in RADII for _ in _STRETCH]
_RADII = np.asarray([r * f for r in RADII.values() for f in _STRETCH], dtype=np.float32)[:, None, None]
_SHIFT_Y, _SHIFT_X = (np.indices((3, 3)).reshape(2, 9, 1, 1).astype(np.float32) - 1.0) * 0.35


@dataclass(frozen=True)
class ParsedObject:
    """An object read from an image: centre (x, y) in px; `error` is the template's, inf where none was tried."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    error: float

    @property
    def kind(self) -> Kind:
        return self.shape, self.colour, self.size


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Label the 4-connected regions of a mask [h, w]: labels 1 to n (0 is background) and n.

    Works on horizontal runs with union-find: an image has few runs, so plain Python is fast enough.
    """
    edges = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    roots = _join(runs)
    names: dict[int, int] = {}
    labels = np.zeros(mask.shape, dtype=np.int32)
    for (row, start, end), root in zip(runs, roots, strict=True):
        labels[row, start:end] = names.setdefault(root, len(names) + 1)
    return labels, len(names)


def _root(parent: list[int], i: int) -> int:
    """Follow the parents up to the root, halving the path."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _join(runs: Sequence[tuple[int, int, int]]) -> list[int]:
    """The root of each run (row, start, end), runs in order, once those that touch in neighbouring rows are united."""
    parent = list(range(len(runs)))
    above = 0
    for i, (row, start, end) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start):
            above += 1
        other = above
        while runs[other][0] == row - 1 and runs[other][1] < end:
            parent[_root(parent, other)] = _root(parent, i)
            other += 1
    return [_root(parent, i) for i in range(len(runs))]


def parse(image: NDArray[Any]) -> list[ParsedObject]:
    """The objects in an image, uint8 RGB [h, w, 3] with a white background, from the top down.

    Lengths scale with the shorter side. Nothing in the image gives an empty list; what is not an object of the world is
    `Found` with the shape (or the colour) "unknown".

    Raises:
        ValueError: if the image is not uint8 [h, w, 3].
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is uint8 [h, w, 3]; this is {image.dtype} {list(image.shape)}")
    unit = min(image.shape[:2]) / UNIT
    away = 255.0 - image.astype(np.float32)
    labels, n = components(away.max(axis=2) > FOREGROUND)
    areas = np.bincount(labels.ravel(), minlength=n + 1)
    return [_read(away, labels, label, unit) for label in range(1, n + 1) if areas[label] >= SPECK * unit * unit]


def _read(away: Array, labels: NDArray[np.int32], label: int, unit: float) -> ParsedObject:
    """Read one component; `away` is the deviation from white, [h, w, 3]."""
    ys, xs = np.nonzero(labels == label)
    top, left = max(int(ys.min()) - 2, 0), max(int(xs.min()) - 2, 0)
    window = slice(top, int(ys.max()) + 3), slice(left, int(xs.max()) + 3)
    name, colour = _colour(away[ys, xs])
    if max(np.ptp(xs), np.ptp(ys)) + 1 > (2 * max(RADII.values()) + 4) * unit:
        return ParsedObject(UNKNOWN, name, UNKNOWN, float(xs.mean()) + 0.5, float(ys.mean()) + 0.5, math.inf)
    inside = labels[window]
    # Neighbours reach into the window: their pixels are not this component's to explain.
    own = away[window] * ((inside == label) | (inside == 0))[:, :, None]
    cover = own @ (colour / (colour @ colour))
    stray = float((own * own).sum() / (colour @ colour) - (cover * cover).sum())
    shape, size, x, y, error = _fit(cover, stray, unit)
    if error > MISFIT:
        shape = size = UNKNOWN
    return ParsedObject(shape, name, size, left + x, top + y, error)


def _colour(pixels: Array) -> tuple[str, Array]:
    """Name of the core's colour, and the nearest palette colour's deviation from white [3]; `pixels` is [n, 3]."""
    strength = pixels.max(axis=1)
    core = np.median(pixels[strength >= 0.8 * np.percentile(strength, 90)], axis=0)
    distances = np.linalg.norm(_PALETTE - (255.0 - core), axis=1)
    nearest = int(distances.argmin())
    return _NAMES[nearest] if distances[nearest] <= COLOUR_REACH else UNKNOWN, 255.0 - _PALETTE[nearest]


def _missed(cover: Array, shape: str, radius: Array, dx: Array, dy: Array) -> tuple[Array, Array]:
    """|coverage - template|^2 and |template|^2 for k templates of a window [h, w]; two arrays [k]."""
    templates = coverage(shape, radius, dx, dy)
    return np.square(cover - templates).sum(axis=(1, 2)), np.square(templates).sum(axis=(1, 2))


def _fit(cover: Array, stray: float, unit: float) -> tuple[str, str, float, float, float]:
    """The best template for a window [h, w] of coverage: shape, size, centre (x, y) in the window, error."""
    height, width = cover.shape
    xs, ys = np.arange(width, dtype=np.float32)[None, :] + 0.5, (np.arange(height, dtype=np.float32) + 0.5)[:, None]
    solid = np.where(cover > 0.1, cover, 0.0)
    solid /= max(float(solid.sum()), 1e-6)  # a pale foreign colour may have no coverage at all
    mean_x, mean_y = float((solid * xs).sum()), float((solid * ys).sum())
    best = (UNKNOWN, UNKNOWN, mean_x, mean_y, math.inf)
    radii = _RADII * unit
    for shape in SHAPES:
        # First the radius, with the centre of mass where it is; then the centre.
        lower = mean_y - CENTROID_BELOW[shape] * radii
        missed, mass = _missed(cover, shape, radii, xs - mean_x, ys - lower)
        k = int(((missed + stray) / mass).argmin())
        centres_x, centres_y = mean_x + _SHIFT_X * unit, lower[k] + _SHIFT_Y * unit
        missed, mass = _missed(cover, shape, radii[k], xs - centres_x, ys - centres_y)
        errors = (missed + stray) / mass
        j = int(errors.argmin())
        if errors[j] < best[4]:
            best = (shape, _TRIAL_SIZES[k], float(centres_x[j, 0, 0]), float(centres_y[j, 0, 0]), float(errors[j]))
    return best

"""The things of the drawn-shapes world and how they look: silhouettes, colours, and an anti-aliased renderer.

Lengths are in pixels of a 32 px canvas (`UNIT`) and scale with the canvas. A silhouette is a function from the offsets
to the object's centre to *coverage*, the share of each pixel that the object covers; an image is

    pixel = white + sum_i coverage_i (colour_i - white)

which is exact as long as objects do not overlap. Squares and crosses are products of one-dimensional coverages, so
theirs is the exact area; circles and slanted edges take `clip(1/2 - signed distance)`, within a few per cent of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIT = 32
"""The canvas side, in px, in which every length of this world is stated."""

# Each colour has a channel near 24 and so stands about equally far from white in its largest channel:
# the parser can then read coverage without knowing the colour. The closest two are 150 apart in RGB.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (224, 24, 24),
    "green": (24, 160, 64),
    "blue": (24, 72, 224),
    "yellow": (248, 208, 24),
    "purple": (160, 24, 184),
    "black": (24, 24, 24),
}
_INKS = {name: np.asarray(colour, dtype=np.float32) - 255.0 for name, colour in COLOURS.items()}
"""What a colour adds to white where an object covers all of a pixel."""
RADII: dict[str, float] = {"small": 4.0, "large": 6.6}
"""Half the side of the box that holds an object of each size, at 32 px; two large ones fit side by side."""

Kind = tuple[str, str, str]
"""What an object is, wherever it stands: (shape, colour, size)."""
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Object:
    """One drawn thing; `x` (rightwards) and `y` (downwards) are its centre in px of the canvas it is drawn on."""

    shape: str
    colour: str
    size: str
    x: float
    y: float

    @property
    def kind(self) -> Kind:
        return self.shape, self.colour, self.size


def _bounded(x: Array, maximum: float = 1.0) -> Array:
    """Bounded to [0, maximum]; faster than `np.clip` on arrays as small as these."""
    return np.minimum(np.maximum(x, 0.0), maximum)


def _slab(offset: Array, half: Array | float) -> Array:
    """Coverage in one dimension of the interval [-half, half] by unit pixels centred at `offset`."""
    return _bounded(half + 0.5 - np.abs(offset))


def _circle(dx: Array, dy: Array, r: Array | float) -> Array:
    return _bounded(r + 0.5 - np.sqrt(dx * dx + dy * dy))


def _square(dx: Array, dy: Array, r: Array | float) -> Array:
    # 0.86 r gives the square 0.94 of the circle's area, so that area alone never tells them apart: the corners must.
    return _slab(dx, 0.86 * r) * _slab(dy, 0.86 * r)


def _triangle(dx: Array, dy: Array, r: Array | float) -> Array:
    # Apex (0, -0.9 r), base from (-r, 0.9 r) to (r, 0.9 r); (1.8, -1) is normal to the right-hand edge.
    slanted = (1.8 * np.abs(dx) - (dy + 0.9 * r)) / np.hypot(1.8, 1.0)
    return _bounded(0.5 - slanted) * _bounded(0.9 * r + 0.5 - dy)


def _cross(dx: Array, dy: Array, r: Array | float) -> Array:
    arm = 0.3 * r
    thin_x, thin_y = _slab(dx, arm), _slab(dy, arm)
    return thin_x * _slab(dy, r) + _slab(dx, r) * thin_y - thin_x * thin_y


_SILHOUETTES: dict[str, Callable[[Array, Array, Array | float], Array]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
}
SHAPES: tuple[str, ...] = tuple(_SILHOUETTES)
CENTROID_BELOW: dict[str, float] = {"circle": 0.0, "square": 0.0, "triangle": 0.3, "cross": 0.0}
"""How far a shape's centre of mass lies below its centre, in radii."""


def coverage(shape: str, radius: Array | float, dx: Array, dy: Array) -> Array:
    """Share of each pixel that a shape of this radius covers, in [0, 1].

    `dx` [..., 1, w] and `dy` [..., h, 1] are the pixel centres' offsets from the object's centre, in px, `radius` is in
    px and broadcasts against them; the result is [..., h, w].
    """
    return _SILHOUETTES[shape](dx, dy, radius)


def draw(objects: Iterable[Object], size: int = UNIT) -> NDArray[np.uint8]:
    """Render objects that do not overlap on white: uint8 RGB, [size, size, 3]."""
    centres = np.arange(size, dtype=np.float32) + 0.5
    picture = np.full((size, size, 3), 255.0, dtype=np.float32)
    for thing in objects:
        radius = RADII[thing.size] * size / UNIT
        mask = coverage(thing.shape, radius, centres[None, :] - thing.x, centres[:, None] - thing.y)
        picture += mask[:, :, None] * _INKS[thing.colour]
    return _bounded(np.rint(picture), 255.0).astype(np.uint8)

"""What is drawn: silhouettes of shapes by formula and of the letters of the font that comes with Pillow.

Each is a signed distance d (inside negative) on a grid over [-1, 1]^2. Turned, scaled and moved, it covers of a pixel

    coverage = clip(1/2 - d r, 0, 1),    r the radius in px,

the rule of the drawn world (`data/shapes/draw`), whose four shapes are the first four here.
"""

from collections.abc import Sequence
from functools import cache
from string import ascii_letters, digits

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from unclip.core.typing import Float, Int, PerSample, Tensor
from unclip.data.shapes.draw import SHAPES, coverage

SIDE = 64
"""Of the grid of distances."""
REACH = 1.6
"""The grid spans [-REACH, REACH]^2; the silhouette has radius 1."""
LETTERS = ascii_letters + digits + "?!&#@$%*+=<>"
FONT = 96
"""Height of the letters that the distances are taken of, px."""

Mask = NDArray[np.bool_]


def _polygon(corners: int, inner: float = 1.0) -> Mask:
    """A regular polygon; with `inner` below 1 a star of as many points."""
    many = corners if inner == 1 else 2 * corners
    angles = np.arange(many) * 2 * np.pi / many - np.pi / 2
    radii = np.where(np.arange(many) % 2 == 1, inner, 1.0) if inner < 1 else np.ones(many)
    points = [(float(x), float(y)) for x, y in zip(radii * np.cos(angles), radii * np.sin(angles), strict=True)]
    return _filled(points)


def _filled(points: Sequence[tuple[float | int, float | int]]) -> Mask:
    scale, fine = SIDE / (2 * REACH), 4
    picture = Image.new("1", (SIDE * fine, SIDE * fine))
    ImageDraw.Draw(picture).polygon([((x + REACH) * scale * fine, (y + REACH) * scale * fine) for x, y in points], 1)
    return np.asarray(picture)[fine // 2 :: fine, fine // 2 :: fine]


def _places() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    line = (np.arange(SIDE) + 0.5) * 2 * REACH / SIDE - REACH
    return line[None, :], line[:, None]


def _shapes() -> list[Mask]:
    x, y = _places()
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    scale = SIDE / (2 * REACH)
    drawn = [coverage(name, np.asarray(scale), x * scale, y * scale) > 0.5 for name in SHAPES]
    return [
        *drawn,
        (r < 1) & (r > 0.6),  # a ring
        (r < 1) & (np.hypot(x - 0.45, y) > 0.8),  # a crescent
        (r < 1) & (y > 0),  # a half disc
        np.hypot(x / 1.0, y / 0.55) < 1,  # an ellipse
        (np.abs(x) < 1) & (np.abs(y) < 0.22),  # a bar
        (np.abs(x) < 0.95) & (np.abs(y) < 0.6),  # a rectangle
        r < 0.72 + 0.25 * np.cos(5 * angle),  # a flower
        (x * x + y * y - 0.45) ** 3 + 1.1 * x * x * y**3 < 0,  # a heart
        _polygon(5), _polygon(6), _polygon(4), _polygon(5, 0.45), _polygon(8, 0.6), _polygon(4, 0.3),
        # an arrow
        _filled([(-1.0, -0.25), (0.1, -0.25), (0.1, -0.7), (1.0, 0.0), (0.1, 0.7), (0.1, 0.25), (-1.0, 0.25)]),
        (np.maximum(np.abs(x), np.abs(y)) < 0.85) & (np.maximum(np.abs(x), np.abs(y)) > 0.5),  # a frame
        (np.hypot(x, y + 0.5) < 0.45) | ((np.abs(x) < 0.6 - 0.2 * y) & (y > 0) & (y < 0.95)),  # a figure
        (np.abs(y - 0.35 * np.sin(4 * x)) < 0.2) & (np.abs(x) < 1),  # a wave
    ]  # fmt: skip


def _letters() -> list[Mask]:
    font, found = ImageFont.load_default(FONT), []
    for letter in LETTERS:
        picture = Image.new("L", (2 * FONT, 2 * FONT))
        ImageDraw.Draw(picture).text((FONT, FONT), letter, 255, font=font, anchor="mm")
        left, top, right, bottom = picture.getbbox() or (0, 0, 2 * FONT, 2 * FONT)
        half = max(right - left, bottom - top) / 2 * REACH
        middle = ((left + right) / 2, (top + bottom) / 2)
        box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
        small = picture.transform((SIDE, SIDE), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
        found.append(np.asarray(small) > 127)
    return found


def _distance(inside: Mask) -> NDArray[np.float32]:
    """Signed distance to the border in units of the radius, by looking at every pixel of it."""
    edge = np.zeros_like(inside)
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    edge[1:] |= inside[1:] != inside[:-1]
    border = np.argwhere(edge | np.roll(edge, -1, 0) & ~edge & inside)
    cells = np.argwhere(np.ones_like(inside))
    squared = ((cells[:, None] - border[None]) ** 2).sum(2).min(1).reshape(inside.shape)
    return (np.where(inside, -1, 1) * np.sqrt(squared) * 2 * REACH / SIDE).astype(np.float32)


@cache
def distances() -> Float[Tensor, "k 1 side side"]:
    """The signed distances of every silhouette: first the shapes, then the letters."""
    return torch.from_numpy(np.stack([_distance(mask) for mask in (*_shapes(), *_letters())]))[:, None]


@cache
def count() -> tuple[int, int]:
    """(all silhouettes, how many of them are shapes)."""
    return len(distances()), len(distances()) - len(LETTERS)


def cover(
    kind: Int[Tensor, " b"],
    centre: Float[Tensor, "b 2"],
    radius: PerSample,
    angle: PerSample,
    size: int,
    stretch: PerSample | None = None,
) -> Float[Tensor, "b 1 size size"]:
    """Share of each pixel that silhouettes cover, one an image.

    centre: (x, y) in [-1, 1]; radius: as a share of the side; angle: radians; stretch: of the width.
    """
    line = (torch.arange(size) + 0.5) * 2 / size - 1
    x, y = line[None, None, :] - centre[:, 0, None, None], line[None, :, None] - centre[:, 1, None, None]
    scale = (2 * radius)[:, None, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    u, v = (x * cos + y * sin) / scale, (y * cos - x * sin) / scale
    if stretch is not None:
        u = u / stretch[:, None, None]
    grid = torch.stack([u, v], dim=-1) / REACH
    d = F.grid_sample(distances()[kind], grid, align_corners=False, padding_mode="border")
    outside = (grid.abs().amax(-1) > 1)[:, None]
    return (0.5 - d * radius[:, None, None, None] * size).clamp(0, 1).masked_fill(outside, 0)

"""Rows of images in a picture of a slide: pixels stay square and sharp, under heads and beside names."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unclip.figures.slides.slide import SMALL, Pixels, points
from unclip.figures.slides.words import width_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGE, BETWEEN, PAD = "#c6ccd3", 10, 18
LINE, TEX_LARGER = 1.3, 1.35
"""Height of a line; how much larger TeX is set, whose letters are small."""
LONGEST = 22
"""Letters of a line beside a row."""
WHOLE = 0.9
"""A whole factor is taken where it costs no more of the size than this leaves."""


def sheet(
    figure: "Figure", rows: Sequence[Sequence[Image.Image | None]], heads: Sequence[str] = (), names: Sequence[str] = ()
) -> None:
    """Images of one size, as large as the figure lets them be; names are broken into lines. None: an empty place."""
    figure.set_layout_engine("none")
    broken = [_broken(name) for name in names]
    left = max((_widest(name) for name in broken), default=0) + (PAD if names else 0)
    above = max((head.count("\n") + 1 for head in heads), default=0) * SMALL * LINE + (8 if heads else 0)
    width, height = (round(v) for v in figure.bbox.size)
    across, down = max(len(row) for row in rows), len(rows)
    first = next(image for image in rows[0] if image is not None)
    room = ((width - left) / across - BETWEEN, (height - above) / down - BETWEEN)
    zoom = min(room[0] / first.width, room[1] / first.height)
    zoom = int(zoom) if int(zoom) > WHOLE * zoom else zoom
    cell = (int(first.width * zoom), int(first.height * zoom))
    x0 = left + max(0, (width - left - across * (cell[0] + BETWEEN)) / 2)
    for i, row in enumerate(rows):
        top = above + i * (cell[1] + BETWEEN)
        if broken:
            _text(figure, broken[i], x0 - PAD, top + cell[1] / 2, "right")
        for j, image in enumerate(row):
            if image is not None:
                _put(figure, image, x0 + j * (cell[0] + BETWEEN), top, cell)
    for j, head in enumerate(heads):
        _text(figure, head, x0 + j * (cell[0] + BETWEEN) + cell[0] / 2, above / 2 - 4, "center")


def _put(figure: "Figure", image: Image.Image, x: Pixels, top: Pixels, cell: tuple[int, int]) -> None:
    """The image with a thin edge, as a white one has none."""
    how = Image.Resampling.NEAREST if cell[0] >= image.width else Image.Resampling.LANCZOS
    framed = Image.new("RGB", (cell[0] + 2, cell[1] + 2), EDGE)
    framed.paste(image.convert("RGB").resize(cell, how), (1, 1))
    height = round(figure.bbox.height)
    figure.figimage(np.asarray(framed), round(x), height - round(top) - framed.height)


def _text(figure: "Figure", words: str, x: Pixels, y: Pixels, align: str) -> None:
    width, height = figure.bbox.size
    size = points(SMALL * (TEX_LARGER if words.startswith("$") else 1))
    figure.text(x / width, 1 - y / height, words, ha=align, va="center", fontsize=size, linespacing=LINE)


def _broken(name: str) -> str:
    return name if "$" in name or "\n" in name else "\n".join(textwrap.wrap(name, LONGEST)[:4])


def _widest(name: str) -> float:
    return max(width_of(line, SMALL * TEX_LARGER) for line in name.split("\n"))

"""A slide as pixels: its picture drawn by matplotlib at the size that the layout left for it, its words around it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from unclip.core.imports.missing import install
from unclip.figures.slides.layout import LEADING, PAD, Placed
from unclip.figures.slides.slide import HEIGHT, PIXELS_AN_INCH, SMALL, WIDTH, Pixels, points
from unclip.figures.slides.words import FAMILY, MATH, font
from unclip.figures.style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER, TINT, QUIET = "#ffffff", "#f3f6f9", "#5b6570"
COLOURS = {"chapter": "#0072b2", "title": INK, "formula": INK, "text": INK, "code": QUIET, "page": QUIET}
BASE = (LEADING - 1.164) / 2 + 0.928
"""Of a line of the font: from its top to its base, in letters."""


def panel(draw: "Callable[[Figure], None]", width: Pixels, height: Pixels) -> Image.Image:
    """What `draw` draws into an empty figure of this size in pixels; letters are `SMALL` unless it says otherwise.

    Raises ValueError without matplotlib.
    """
    return _drawn(draw, round(width), round(height), words=False)


def paint(placed: Sequence[Placed], picture: Image.Image | None) -> Image.Image:
    """The slide, 1920 x 1080."""
    return _drawn(lambda figure: _words(figure, placed, picture), WIDTH, HEIGHT, words=True)


def _drawn(draw: "Callable[[Figure], None]", width: int, height: int, words: bool) -> Image.Image:
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError(install("the images need", "matplotlib")) from error
    letters = {
        "font.size": points(SMALL),
        "font.family": FAMILY,
        "mathtext.fontset": MATH,
        "axes.titlelocation": "left",
    }
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    thick = {"lines.linewidth": 4, "axes.linewidth": 1.5, "axes.edgecolor": FAINT, "legend.frameon": False}
    sizes = dict.fromkeys(("axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), points(SMALL))
    how: Any = {**letters, **colours, **thick, **sizes, "legend.fontsize": points(SMALL)}
    with rc_context(how):
        size = (width / PIXELS_AN_INCH, height / PIXELS_AN_INCH)
        figure = Figure(size, PIXELS_AN_INCH, facecolor=PAPER, layout=None if words else "constrained")
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _words(figure: "Figure", placed: Sequence[Placed], picture: Image.Image | None) -> None:
    for block in placed:
        if block.kind == "picture":
            assert picture is not None
            figure.figimage(np.asarray(picture), round(block.x), HEIGHT - round(block.y) - picture.height)
        elif block.kind == "formula":
            _formula(figure, block)
        else:
            for i, line in enumerate(block.lines):
                base = block.y + (i * LEADING + BASE) * block.size
                _write(figure, line, block.x, base, block)


def _formula(figure: "Figure", block: Placed) -> None:
    from matplotlib.patches import Rectangle

    low = 1 - (block.y + block.height) / HEIGHT
    figure.patches.append(  # behind the words
        Rectangle((block.x / WIDTH, low), block.width / WIDTH, block.height / HEIGHT, color=TINT,
                  transform=figure.transFigure, figure=figure, zorder=-1)
    )  # fmt: skip
    _write(figure, f"${block.lines[0]}$", block.x + PAD, block.y + block.height / 2, block, "center")


def _write(figure: "Figure", line: str, x: Pixels, y: Pixels, block: Placed, align: str = "baseline") -> None:
    words = font(block.kind == "title").copy()
    words.set_size(points(block.size))
    figure.text(x / WIDTH, 1 - y / HEIGHT, line, color=COLOURS[block.kind], fontproperties=words, va=align)

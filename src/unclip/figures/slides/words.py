"""Words and TeX as matplotlib sets them: their widths, lines of them, and TeX as SVG."""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from unclip.figures.slides.slide import Pixels

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

FAMILY, MATH = "DejaVu Sans", "cm"
"""The font that comes with matplotlib, and Computer Modern for TeX."""
TEX = re.compile(r"(?<!\\)\$(.+?)(?<!\\)\$")
DRAWN = 100
"""Pixels a letter that SVG is drawn with."""


@cache
def font(bold: bool = False) -> "FontProperties":
    """The one font of all slides."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=FAMILY, weight="bold" if bold else "normal", math_fontfamily=MATH)


@lru_cache(maxsize=16384)
def extent(text: str, bold: bool = False) -> tuple[float, float, float]:
    """(width, height, depth below the line) of a line in units of the letters' height."""
    from matplotlib.textpath import text_to_path

    sized = font(bold).copy()
    sized.set_size(DRAWN)
    tex = TEX.search(text) is not None
    line = text if tex else text.replace("\\$", "$")
    width, height, depth = text_to_path.get_text_width_height_descent(line, sized, tex)
    return width / DRAWN, height / DRAWN, depth / DRAWN


def width_of(text: str, size: Pixels, bold: bool = False) -> float:
    """Pixels."""
    return extent(text, bold)[0] * size


def pieces(text: str) -> list[str]:
    """The words of a text; TeX is a part of its word, whatever spaces it holds."""
    words = re.findall(r"(?:(?<!\\)\$.+?(?<!\\)\$|\S)+", text)
    return list(words)


def wrapped(text: str, size: Pixels, width: Pixels, bold: bool = False) -> list[str]:
    """The text in lines that are not wider than `width` pixels, unless a single word is."""
    lines, long, space = [""], 0.0, width_of("a a", size, bold) - width_of("aa", size, bold)
    for word in pieces(text):
        own = width_of(word, size, bold)
        if lines[-1] and long + space + own > width:
            lines.append(word)
            long = own
        else:
            long += own + (space if lines[-1] else 0)
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def tex_as_svg(tex: str) -> str:
    """TeX as an inline SVG of one path, its baseline that of the line around it, its size in em."""
    from matplotlib.textpath import TextPath

    width, height, depth = (v * DRAWN for v in extent(f"${tex}$"))
    path = TextPath((0, 0), f"${tex}$", size=DRAWN, prop=font())
    names = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
    parts = []
    for vertices, code in path.iter_segments(curves=True, simplify=False):
        numbers = [f"{-v if i % 2 else v:.1f}" for i, v in enumerate(vertices)]
        parts.append(names[int(code)] + ("" if code == 79 else " ".join(numbers)))
    box = f"0 {depth - height:.1f} {max(width, 1):.1f} {max(height, 1):.1f}"
    style = f"height:{height / DRAWN:.3f}em;vertical-align:{-depth / DRAWN:.3f}em"
    return (
        f'<svg class="tex" role="img" aria-label={quoteattr(tex)} viewBox="{box}" style="{style}">'
        f'<path d="{"".join(parts)}"/></svg>'
    )

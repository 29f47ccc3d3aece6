"""What stands on a slide of 1920 x 1080 pixels, and how large."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unclip.core.shown import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT, MARGIN = 1920, 1080, 80
TITLE, FORMULA, TEXT, SMALL = 58, 46, 34, 28
"""Heights of letters in pixels; none is smaller than `SMALL`, which the back row still reads."""
PIXELS_AN_INCH = 100
Pixels = int | float


@dataclass(frozen=True)
class Slide:
    """One slide.

    In `title`, `text` and `formulas` what stands between dollars is TeX, as matplotlib sets it; `escaped` guards a
    text from outside.

    Args:
        name: of its file, in small letters.
        chapter: stands small above the title.
        title: a line.
        text: paragraphs, parted by a blank line.
        formulas: TeX, a formula a line.
        code: full names of the functions that the slide speaks of.
        draw: draws its picture into an empty figure of the size that is left for it; None: no picture.
        alt: what the picture shows, for those who do not see it.
        picture: where the picture stands.
    """

    name: str
    chapter: str
    title: str
    text: str = ""
    formulas: str = ""
    code: Sequence[str] = ()
    draw: "Callable[[Figure], None] | None" = None
    alt: str = ""
    picture: Literal["below", "beside"] = "below"


def escaped(text: str, letters: int = 60) -> str:
    """A text from outside, cut to so many letters, in one line, whose dollars mean dollars."""
    return printable(text, letters).replace("\\", "/").replace("$", "\\$")


def points(pixels: Pixels) -> float:
    """A height of letters as matplotlib counts it."""
    return pixels * 72 / PIXELS_AN_INCH

"""Where everything of a slide stands, in pixels from its upper left corner: one answer for the PNG and the deck."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unclip.figures.slides.slide import FORMULA, HEIGHT, MARGIN, SMALL, TEXT, TITLE, WIDTH, Pixels, Slide
from unclip.figures.slides.words import extent, width_of, wrapped

Kind = Literal["chapter", "title", "formula", "text", "code", "page", "picture"]
LEADING = 1.36
"""Height of a line in letters."""
TOP, GAP, BESIDE = 48, 26, 740
"""Above the chapter; between blocks; the width of the words where the picture stands beside them."""
PAD = 16
"""Around a formula."""
LEAST = 380
"""A picture below the words is at least so high."""
COMMA = "   "


@dataclass(frozen=True)
class Placed:
    """A block. size: of its letters; lines: as they are broken."""

    kind: Kind
    x: Pixels
    y: Pixels
    width: Pixels
    height: Pixels
    size: Pixels = 0
    lines: tuple[str, ...] = ()


def arrange(slide: Slide, page: str) -> list[Placed]:
    """Every block of a slide, in the order in which it is read. Raises ValueError where they do not fit."""
    head = [
        *_stack([("chapter", slide.chapter, SMALL)], MARGIN, TOP, WIDTH - 2 * MARGIN),
        *_stack([("title", slide.title, TITLE)], MARGIN, TOP + 42, WIDTH - 2 * MARGIN),
    ]
    top = _end(head) + GAP - 6
    foot = _foot(slide, page)
    bottom = min(block.y for block in foot) - 18
    for size in range(TEXT, SMALL - 1, -1):
        words, picture = _body(slide, size, top, bottom)
        if picture.height >= (LEAST if slide.picture == "below" and slide.draw else 0) and _end(words, top) <= bottom:
            return [*head, *words, *([picture] if slide.draw else []), *foot]
    raise ValueError(f"slide {slide.name}: more words than fit on it; shorten its text")


def _body(slide: Slide, size: int, top: Pixels, bottom: Pixels) -> tuple[list[Placed], Placed]:
    beside = slide.picture == "beside" and slide.draw is not None
    width = BESIDE if beside else WIDTH - 2 * MARGIN
    words = [_formula(tex, width) for tex in slide.formulas.splitlines()]
    y, placed = top, list[Placed]()
    for block in words:
        placed.append(Placed("formula", MARGIN, y, width, block.height, block.size, block.lines))
        y += block.height + 8
    y += GAP - 8 if words else 0
    placed += _stack(
        [("text", paragraph, size) for paragraph in slide.text.split("\n\n") if paragraph], MARGIN, y, width
    )
    if beside:
        left = MARGIN + BESIDE + 50
        return placed, Placed("picture", left, top, WIDTH - left - MARGIN + 30, bottom - top)
    y = _end(placed, top - GAP) + GAP
    return placed, Placed("picture", MARGIN, y, WIDTH - 2 * MARGIN, bottom - y)


def _formula(tex: str, width: Pixels) -> Placed:
    """A formula at its size, smaller where it is too wide. Raises ValueError where it would be too small to read."""
    wide, height, _ = extent(f"${tex}$")
    size = min(FORMULA, (width - 2 * PAD) / wide)
    if size < SMALL:
        raise ValueError(f"formula {tex}: too wide for its column; break it into lines")
    return Placed("formula", 0, 0, width, max(1.0, height) * size + 2 * PAD, size, (tex,))


def _stack(blocks: Sequence[tuple[Kind, str, int]], x: Pixels, y: Pixels, width: Pixels) -> list[Placed]:
    placed = []
    for kind, text, size in blocks:
        lines = tuple(wrapped(text, size, width, kind == "title"))
        placed.append(Placed(kind, x, y, width, len(lines) * size * LEADING, size, lines))
        y = placed[-1].y + placed[-1].height + GAP * 0.6
    return placed


def _foot(slide: Slide, page: str) -> list[Placed]:
    room = WIDTH - 2 * MARGIN - width_of(page, SMALL) - 40
    line, high = SMALL * LEADING, HEIGHT - 36
    names, lines = list(slide.code), [""]
    for name in names:
        longer = f"{lines[-1]}{COMMA}{name}" if lines[-1] else name
        lines = [*lines[:-1], longer] if width_of(longer, SMALL) <= room else [*lines, name]
    code = Placed("code", MARGIN, high - len(lines) * line, room, len(lines) * line, SMALL, tuple(lines))
    width = width_of(page, SMALL) + 4
    number = Placed("page", WIDTH - MARGIN - width, high - line, width, line, SMALL, (page,))
    return [code, number] if names else [number]


def _end(blocks: Sequence[Placed], default: Pixels = 0) -> Pixels:
    return max((block.y + block.height for block in blocks), default=default)

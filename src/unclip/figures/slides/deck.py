"""The deck: one file of HTML with its font, formulas and pictures inside, which asks no network for anything.

On a large screen a slide is a stage of 1920 x 1080, zoomed to the window, and everything stands where `layout` put it;
on a narrow one the same elements follow each other down the page. On paper each slide is a page.
"""

import base64
import importlib.resources
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from unclip.core.disk.atomic import write_atomic
from unclip.figures.link import Link, nav
from unclip.figures.slides.layout import LEADING, PAD, Placed
from unclip.figures.slides.slide import Slide
from unclip.figures.slides.words import TEX, font, tex_as_svg
from unclip.images.files import encoded

TAGS = {"chapter": "p", "title": "h2", "text": "p", "code": "p", "page": "p"}
FACES = {"normal": False, "bold": True}
HEAD = 1000
"""Bytes of a deck in which its model is named."""


@dataclass(frozen=True)
class Laid:
    """A slide, where its blocks stand, and its picture."""

    slide: Slide
    placed: Sequence[Placed]
    picture: Image.Image | None


def write_deck(path: Path, title: str, slides: Sequence[Laid], model: str = "", link: Link | None = None) -> None:
    """Writes the deck in one step. model: the hash of the one that it shows; link: to a page beside it."""
    sections = "".join(_section(laid, i, len(slides)) for i, laid in enumerate(slides, 1))
    way = nav(link)
    style, script = (_part(name) for name in ("deck.css", "deck.js"))
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"{_meta(model)}"
        f"<title>{escape(title)}</title>\n<style>\n{_faces(title + way + sections)}{style}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{way}<main>\n{sections}</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )
    write_atomic(path, page)


def shows(path: Path, model: str) -> bool:
    """Whether a deck of the model with this hash is there."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _meta(model).encode() in file.read(HEAD)


def _meta(model: str) -> str:
    return f'<meta name="model" content="{escape(model)}">\n'


def _part(name: str) -> str:
    return importlib.resources.files("unclip.figures.slides").joinpath(name).read_text(encoding="utf-8")


def _section(laid: Laid, number: int, count: int) -> str:
    blocks = "".join(_block(laid, block) for block in laid.placed)
    return (
        f'<section id="{number}" class="slide" role="group" aria-roledescription="slide" '
        f'aria-label="{number} of {count}"><div class="stage">\n{blocks}</div></section>\n'
    )


def _block(laid: Laid, block: Placed) -> str:
    at = f"left:{block.x:.1f}px;top:{block.y:.1f}px;width:{block.width:.1f}px;height:{block.height:.1f}px"
    if block.kind == "picture":
        assert laid.picture is not None
        data = base64.b64encode(encoded(laid.picture, ".png", optimize=True)).decode()
        alt, size = escape(laid.slide.alt, quote=True), f'width="{laid.picture.width}" height="{laid.picture.height}"'
        return f'<img class="picture" style="{at}" {size} alt="{alt}" src="data:image/png;base64,{data}">\n'
    at += f";--letters:{block.size:.2f}px"
    if block.kind == "formula":
        return f'<div class="formula" style="{at};padding-left:{PAD}px">{tex_as_svg(block.lines[0])}</div>\n'
    lines = " ".join(f'<span class="line">{_words(line)}</span>' for line in block.lines)
    tag = TAGS[block.kind]
    return f'<{tag} class="{block.kind}" style="{at};line-height:{LEADING}">{lines}</{tag}>\n'


def _words(line: str) -> str:
    parts, end = list[str](), 0
    for found in TEX.finditer(line):
        parts += [_plain(line[end : found.start()]), tex_as_svg(found[1])]
        end = found.end()
    return "".join([*parts, _plain(line[end:])])


def _plain(text: str) -> str:
    return escape(text.replace("\\$", "$"))


def _faces(text: str) -> str:
    """The font's letters that the deck uses, inside of it, so that lines are as long as they were measured."""
    rules = []
    for weight, bold in FACES.items():
        data = base64.b64encode(_subset(text, bold)).decode()
        rules.append(
            f'@font-face {{ font-family: "Slides"; font-weight: {weight}; '
            f"src: url(data:font/woff;base64,{data}) format('woff'); }}\n"
        )
    return "".join(rules)


def _subset(text: str, bold: bool) -> bytes:
    from fontTools import subset
    from matplotlib.font_manager import findfont

    options = subset.Options(flavor="woff", layout_features=["kern"], notdef_outline=True)
    options.drop_tables += ["FFTM"]  # FontForge's timestamp
    face: Any = subset.load_font(findfont(font(bold)), options)
    cutter = subset.Subsetter(options)
    cutter.populate(text=text)
    cutter.subset(face)
    data = io.BytesIO()
    subset.save_font(face, data, options)
    return data.getvalue()

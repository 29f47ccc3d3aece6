"""A page that says how a run went: one HTML file with its images inside, without scripts and without a network."""

import base64
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from unclip.core.disk.atomic import write_atomic
from unclip.figures.link import Link, nav

STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2024; background: #fff; max-width: 820px; margin: 40px auto;
       padding: 0 24px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 28px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 44px 0 8px; padding-top: 14px; border-top: 1px solid #e3e6ea; }
p { margin: 8px 0 14px; }
a { color: #0072b2; }
nav { margin: -16px 0 28px; }
img { display: block; max-width: 100%; height: auto; margin: 14px 0; }
.table { overflow-x: auto; }
.formula { font: italic 18px/1.7 Cambria, Georgia, "Times New Roman", serif; margin: 12px 0 12px 24px; }
.formula sub, .formula sup { font-size: 72%; line-height: 0; }
.code { color: #5b6570; font-size: 13px; }
table { border-collapse: collapse; font-size: 14px; margin: 10px 0 16px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 18px 6px 0; border-bottom: 1px solid #edeff2; }
th { font-weight: 600; color: #5b6570; border-bottom-color: #c6ccd3; }
th:last-child, td:last-child { padding-right: 0; }
"""


@dataclass(frozen=True)
class Section:
    """A heading, then what there is of: text (a blank line parts paragraphs), formulas (one a line; `x_t`, `x_{t-1}`
    and `x^2` are set as indices), names in the code, a table (its first row is the head), images."""

    heading: str
    text: str = ""
    table: Sequence[Sequence[object]] = ()
    pictures: Sequence[Path] = ()
    formula: str = ""
    code: Sequence[str] = ()


def write_report(
    folder: Path, title: str, sections: Sequence[Section], name: str = "report.html", link: Link | None = None
) -> Path:
    """Writes the page into the folder and returns its path. link: to another page there, below the title.

    Raises ValueError for an image that is not there."""
    body = "".join(_section(section) for section in sections)
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{nav(link)}{body}</body>\n</html>\n"
    )
    path = folder / name
    write_atomic(path, page)
    return path


def _section(section: Section) -> str:
    paragraphs = "".join(f"<p>{escape(p.strip())}</p>\n" for p in section.text.split("\n\n") if p.strip())
    pictures = "".join(_picture(path, section.heading) for path in section.pictures)
    maths = "".join(f'<p class="formula">{_indices(line)}</p>\n' for line in section.formula.splitlines())
    names = ", ".join(f"<code>{escape(name)}</code>" for name in section.code)
    code = f'<p class="code">In the code: {names}</p>\n' if names else ""
    return f"<h2>{escape(section.heading)}</h2>\n{paragraphs}{maths}{code}{_table(section.table)}{pictures}"


def _indices(formula: str) -> str:
    """`x_t` and `x_{t-1}` become subscripts, `x^2` superscripts."""
    html = escape(formula)
    for mark, tag in (("_", "sub"), (r"\^", "sup")):
        html = re.sub(rf"{mark}(?:\{{([^}}]*)\}}|(\w))", lambda m, tag=tag: f"<{tag}>{m[1] or m[2]}</{tag}>", html)
    return html


def _table(rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    head, *body = ("".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row) for tag, row in _tagged(rows))
    lines = "".join(f"<tr>{row}</tr>\n" for row in body)
    return f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n'


def _tagged(rows: Sequence[Sequence[object]]) -> list[tuple[str, Sequence[object]]]:
    return [("td" if i else "th", row) for i, row in enumerate(rows)]


def _picture(path: Path, words: str) -> str:
    if not path.is_file():
        raise ValueError(f"{path}: the report needs this image and it is not there")
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img src="data:{kind};base64,{data}" alt="{escape(words)}">\n'

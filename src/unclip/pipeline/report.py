"""A page that says how a run went: one HTML file with its pictures inside, without scripts and without a network."""

import base64
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from unclip.core.store import write_atomic

STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2024; background: #fff; max-width: 820px; margin: 40px auto;
       padding: 0 24px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 28px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 44px 0 8px; padding-top: 14px; border-top: 1px solid #e3e6ea; }
p { margin: 8px 0 14px; }
img { display: block; max-width: 100%; height: auto; margin: 14px 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; margin: 10px 0 16px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 18px 6px 0; border-bottom: 1px solid #edeff2; }
th { font-weight: 600; color: #5b6570; border-bottom-color: #c6ccd3; }
th:last-child, td:last-child { padding-right: 0; }
"""


@dataclass(frozen=True)
class Section:
    """A heading, then what there is of: text (a blank line parts paragraphs), a table (its first row is the head),
    pictures."""

    heading: str
    text: str = ""
    table: Sequence[Sequence[object]] = ()
    pictures: Sequence[Path] = ()


def write_report(folder: Path, title: str, sections: Sequence[Section]) -> Path:
    """Writes `report.html` into the folder and returns its path. Raises ValueError for a picture that is not there."""
    body = "".join(_section(section) for section in sections)
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    )
    path = folder / "report.html"
    write_atomic(path, page)
    return path


def _section(section: Section) -> str:
    paragraphs = "".join(f"<p>{escape(p.strip())}</p>\n" for p in section.text.split("\n\n") if p.strip())
    pictures = "".join(_picture(path, section.heading) for path in section.pictures)
    return f"<h2>{escape(section.heading)}</h2>\n{paragraphs}{_table(section.table)}{pictures}"


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
        raise ValueError(f"{path}: the report needs this picture and it is not there")
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img src="data:{kind};base64,{data}" alt="{escape(words)}">\n'

"""`make docs`: the notebooks of the course as pages, with what every cell printed and drew; nothing is run.

Markdown stays as it is (tools/formulas.py sees to its formulas), code and what it printed are fenced, pictures become
files beside the page.
"""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

COURSE = Path(__file__).resolve().parents[1] / "course"
PAGE = re.compile(r"`docs/([\w-]+)\.md`")
"""How a notebook, which is copied away from the pages, names one of them."""
COLUMNS = re.compile(r"^[ \t]|\S {2,}\S", re.MULTILINE)
"""What shows that the places of words mean something: an indent, or a gap within a line."""


@dataclass
class Page:
    """A notebook as a page.

    Args:
        stem: the name of its files, without an ending.
        parts: its Markdown, piece by piece.
        pictures: file name -> PNG.
    """

    stem: str
    parts: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Its Markdown."""
        return "\n\n".join(self.parts) + "\n"

    def add(self, cell: dict[str, Any]) -> None:
        """Appends a cell. Raises ValueError for a kind that is neither text nor code."""
        source = joined(cell["source"])
        if cell["cell_type"] == "markdown":
            self.parts.append(PAGE.sub(r"[`docs/\1.md`](../\1.md)", source))
        elif cell["cell_type"] == "code":
            self.parts.append(fenced(source, "python"))
            for is_printed, outputs in groupby(cell["outputs"], lambda output: output["output_type"] == "stream"):
                if is_printed:
                    self.add_printed("".join(joined(output["text"]) for output in outputs))
                else:
                    self.add_shown(outputs)
        else:
            raise ValueError(f"course/{self.stem}.ipynb: a cell is {cell['cell_type']}, not markdown or code")

    def add_printed(self, text: str) -> None:
        """Appends what a cell printed, unless it is blank: columns as text, and as words what a phone may break."""
        if text.strip():
            self.parts.append(fenced(text, "text" if COLUMNS.search(text) else "words"))

    def add_shown(self, outputs: Iterable[dict[str, Any]]) -> None:
        """Appends what a cell showed. Raises ValueError for an error, or what is neither a PNG nor text."""
        for output in outputs:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{self.stem}-{len(self.pictures) + 1}.png"
                self.pictures[name] = base64.b64decode(joined(data["image/png"]))
                self.parts.append(f"![What the code above draws]({name})")
            elif "text/plain" in data:
                self.add_printed(joined(data["text/plain"]))
            else:
                what = output.get("ename") or ", ".join(data)
                raise ValueError(f"course/{self.stem}.ipynb: a cell gave {what}, neither a PNG nor text: make course")


def joined(text: str | list[str]) -> str:
    """A text of a notebook, which may be a list of its lines."""
    return text if isinstance(text, str) else "".join(text)


def fenced(text: str, kind: str) -> str:
    """A block of code; its fence is longer than any in the text."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`{3,}", text))])
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def page(path: Path) -> Page:
    """The page of a notebook; below its title it says where it is from."""
    made = Page(path.stem)
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        made.add(cell)
    title, _, rest = made.parts[0].partition("\n")
    number = path.stem.partition("_")[0]
    about = f"*A notebook of [the course](../course.md), as it was run; `unclip course {number}` copies it to you.*"
    made.parts[0] = f"{title}\n\n{about}\n{rest}"
    return made


def pages(folder: Path = COURSE) -> list[Page]:
    """All of them, in their order."""
    return [page(path) for path in sorted(folder.glob("*.ipynb"))]

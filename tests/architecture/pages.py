"""The pages of the documentation, and what they print: commands, and blocks of Python."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")))
UNITS = ROOT / "src" / "unclip" / "course" / "units"
"""Scripts that a reader copies, as the examples are: no modules of ours, and they print as theirs would."""
LINE = re.compile(r"^(?: {4})?(?:[A-Z_]+=\S+ +)*((?:unclip|make|pytest|python benchmarks/\S+) .*)$", re.MULTILINE)
"""A command on a line of its own: in a fence, or in a block that is indented by four."""


def text_of(page: str) -> str:
    """The Markdown of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, kind: str) -> list[str]:
    """What stands between the fences of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def files(page: str) -> dict[str, str]:
    """The whole files on a page, by the name in the comment that each begins with."""
    named = ((re.match(r"# (\w+\.py)\n", code), code) for code in blocks(page, "python"))
    return {name[1]: code for name, code in named if name}


def printed(page: str) -> str:
    """All that is set as code on a page and is no other language: fences without a kind, and indented blocks."""
    text = re.sub(r"^```\w+\n.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    fenced = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}.*$", text, re.MULTILINE)
    return "\n".join([*fenced, *indented]).replace("\\\n", " ")


def commands(page: str, program: str = "unclip") -> Iterator[list[str]]:
    """The words of each command of a program, comments left out; what may be left out, `[--seed 0]`, is there."""
    for line in LINE.findall(printed(page)):
        words = shlex.split(line, comments=True)
        if words[0] == program:
            yield [word.strip("[]") for word in words[1:] if word != "..."]

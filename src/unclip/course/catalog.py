"""The units that ship: found by their files, titled by their first lines. No torch is needed to list them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "units"
TITLE = re.compile(r"^# # (\d)\. (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Unit:
    """A unit of the course.

    Args:
        number: 1 to 8.
        title: its heading.
        about: the sentence below the heading.
        path: its script, in cells (`# %%`).
    """

    number: int
    title: str
    about: str
    path: Path

    @property
    def stem(self) -> str:
        """The name of its files, without an ending."""
        return self.path.stem

    @property
    def text(self) -> str:
        """Its script."""
        return self.path.read_text(encoding="utf-8")


@cache
def units() -> tuple[Unit, ...]:
    """All units, in their order."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("[1-9]_*.py")))


def unit(number: int) -> Unit:
    """The unit of this number. Raises ValueError that lists what there is."""
    known = {each.number: each for each in units()}
    if number not in known:
        raise ValueError(f"unit {number}: there are {', '.join(map(str, known))}; unclip course lists them")
    return known[number]


def _read(path: Path) -> Unit:
    text = path.read_text(encoding="utf-8")
    found = TITLE.search(text)
    assert found is not None, f"{path}: begins with no '# # N. TITLE'"
    below = text[found.end() :].removeprefix("\n#\n").split("\n#\n")[0]
    return Unit(int(found[1]), found[2], " ".join(line.lstrip("# ") for line in below.splitlines()).strip(), path)

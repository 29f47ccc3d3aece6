"""The models that ship with unclip, and how what a person names becomes the folder of a run.

Each is a packed run in `models/NAME`, with a sheet beside it that `tools/box.py` wrote:

    box.json    {"format": 1, "size": 64, "model": "<hash>", "about": "...", "files": {"run.toml": "<SHA-256>", ...}}

Nothing is ever written into one (`RunFolder.sealed`).
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.core.config.ranges import quote
from unclip.core.config.tables import is_table, read_json
from unclip.core.disk import store
from unclip.core.shown import printable
from unclip.runs.folder import SEAL

BOX = "box"
"""What the shipped model is called where a run is asked for; with a colon and a name, one of them."""
PLACE = Path(__file__).parent / "models"
FIRST = ("emoji", "shapes")
"""The order in which they are offered: the first that is installed is `box`."""
FORMAT = 1
CARD = "card.md"
"""The model card, beside box.json."""
MADE = ("command", "seed", "pairs", "time", "machine")
"""Of how it was made, what is shown in a line."""
AGAIN = "install unclip again"


@dataclass(frozen=True)
class Shipped:
    """One of the models.

    Args:
        name: as in `box:NAME`.
        folder: of its run.
        size: the side of its images, px.
        model: the hash by which its images name it.
        sheet: all that box.json says.
    """

    name: str
    folder: Path
    size: int
    model: str
    sheet: Mapping[str, Any]

    @property
    def called(self) -> str:
        """What stands for it after --run."""
        return f"{BOX}:{self.name}"


def names() -> list[str]:
    """The models of this installation, the first of which is taken where none is named."""
    found = {path.parent.name for path in PLACE.glob(f"[!.]*/{SEAL}")}
    return [*(name for name in FIRST if name in found), *sorted(found.difference(FIRST))]


def find(run: str | Path | None = None) -> Path:
    """The folder of a run.

    Args:
        run: a run's folder, which is returned as it is; "box" or "box:NAME": a model that ships with unclip, unless a
            folder of this name holds a run; None: the first model that ships.

    Raises:
        ValueError: where this installation has no such model, or it is damaged.
    """
    name = None if run is None else named(run)
    return Path(run) if run is not None and name is None else shipped(name or "").folder


def shipped(name: str = "") -> Shipped:
    """A model of the box by its name; "": the first. Raises ValueError as `find` does."""
    there = names()
    if not there:
        raise ValueError(
            "this installation of unclip has no model in the box; train one and name its folder: `unclip demo` draws "
            "shapes and learns them in minutes, `unclip train DATA --out RUN` learns from your own images"
        )
    if name and name not in there:
        known = ", ".join(f"{BOX}:{each}" for each in there)
        raise ValueError(f"{BOX}:{printable(name, 60)}: no such model ships with unclip; these do: {known}")
    return _opened(name or there[0])


def drew(model: object) -> str | None:
    """The name of the model of the box with this hash, or None; a damaged one is passed over."""
    for name in names():
        with suppress(ValueError):
            if _sheet(PLACE / name / SEAL)["model"] == model:
                return name
    return None


def shipped_as(folder: Path) -> Shipped | None:
    """The model of the box whose folder this is; None: it is none of them. Raises ValueError for a damaged one."""
    return _opened(folder.name) if folder.parent == PLACE and folder.name in names() else None


def named(run: str | Path) -> str | None:
    """The name of the box's model that is meant, "" for the first; None where a folder is."""
    head, colon, name = str(run).partition(":")
    if head != BOX or (Path(run) / "run.toml").exists() or (colon and not name):
        return None
    return name


def _opened(name: str) -> Shipped:
    folder, sheet = PLACE / name, _sheet(PLACE / name / SEAL)
    check_files(folder, sheet["files"])
    return Shipped(name, folder, sheet["size"], sheet["model"], sheet)


def _sheet(path: Path) -> dict[str, Any]:
    try:
        sheet = read_json(path, f"what a model in the box is; {AGAIN}")
    except ValueError as error:
        raise store.Damaged(str(error)) from error
    if sheet.get("format") != FORMAT:
        raise store.Damaged(f"{path}: format {quote(sheet.get('format'))}, but this unclip reads {FORMAT}; {AGAIN}")
    for key, kind in (("size", int), ("model", str), ("files", dict)):
        if not isinstance(sheet.get(key), kind):
            raise store.Damaged(f"{path}: damaged ({key} = {quote(sheet.get(key))}); {AGAIN}")
    return sheet


def check_files(folder: Path, files: Mapping[str, Any]) -> None:
    """Raises Damaged (a ValueError) that names the file that is missing or changed."""
    for name, promised in files.items():
        path = folder / name
        if not path.is_file():
            raise store.Damaged(f"{path}: not found; {AGAIN}")
        if (found := store.sha256(path)) != promised:
            raise store.Damaged(
                f"{path}: damaged (SHA-256 {found[:12]}..., expected {printable(str(promised)[:12])}...); {AGAIN}"
            )


def lines(model: Shipped) -> Iterable[str]:
    """What is to be known of it, for people."""
    yield f"ships with unclip as {model.called}: {printable(model.sheet.get('about', ''), 400)}"
    made = model.sheet.get("made")
    if is_table(made):
        yield "made      " + ", ".join(f"{name} {printable(made[name], 200)}" for name in MADE if made.get(name))
    yield f"card      {model.folder / CARD}"
    if others := [f"{BOX}:{name}" for name in names() if name != model.name]:
        yield f"others    {', '.join(others)}"

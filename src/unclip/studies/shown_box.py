"""What the models that ship draw, as a demo shows it before anything has been trained."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from unclip.box.shipped import Shipped, names, shipped
from unclip.core import machine
from unclip.core.shown import shell_command
from unclip.figures.report import Section
from unclip.generation.load import load
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid, save_picture

T = TypeVar("T")
COLUMNS, SIDE = 4, 96
"""Images in a row; the side that each is zoomed towards, px."""


def box_pictures(folder: Path, shapes: Sequence[str]) -> Iterator[Path]:
    """Draws a sheet by each model of the box into `folder`, RUN/box-NAME.png; yields its path as soon as it is there.

    shapes: the prompts for the model of drawn shapes, each by four seeds; the others draw those of their own sheets.
    """
    for name in names():
        model, ships = load(shipped(name).folder, machine.device(), kind=TextToImage), shipped(name)
        asked, n = (list(shapes), COLUMNS) if name == "shapes" else (prompts_of(ships), 1)
        if not asked:
            continue
        made = model.generate(asked, n=n)
        rows, labels = _by_row(made), asked if n > 1 else [", ".join(row) for row in _by_row(asked)]
        save_picture(grid(rows, labels, max(1, SIDE // model.size)), path := sheet_path(folder, name))
        yield path


def _by_row(every: Sequence[T]) -> list[Sequence[T]]:
    return [every[first : first + COLUMNS] for first in range(0, len(every), COLUMNS)]


def prompts_of(ships: Shipped) -> list[str]:
    """What its sheet offers to draw."""
    return [prompt for prompt in ships.sheet.get("prompts", ()) if isinstance(prompt, str)]


def sheet_path(folder: Path, name: str) -> Path:
    """Where the images of a model of the box lie in a demo's folder."""
    return folder / f"box-{name}.png"


def box_sections(folder: Path) -> list[Section]:
    """Of a report: a section for each model of the box whose images are there; none where nothing ships."""
    there = [shipped(name) for name in names() if sheet_path(folder, name).exists()]
    return [
        Section(
            f"Drawn by the model that ships: {ships.name}, {ships.size} px",
            f"{ships.sheet.get('about', '')}. Trained before, for longer ({made(ships)}); "
            f"yours to use: {shell_command('unclip', 'generate', 'PROMPT', '--run', ships.called)}",
            pictures=[sheet_path(folder, ships.name)],
        )
        for ships in there
    ]


def made(ships: Shipped) -> str:
    """How long it was trained, and on what machine, as far as its sheet says."""
    told = ships.sheet.get("made", {})
    return ", ".join(str(told[name]) for name in ("time", "machine") if told.get(name)) or "see its card"

"""DATA on the command line: a path to captioned pictures, or the word `shapes` for the drawn world."""

from pathlib import Path

from unclip.cli.arguments.options import Read
from unclip.data.layouts.kinds import Captions
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.inspect import inspect_source
from unclip.data.prepare.read import read_about
from unclip.data.shapes.world import World
from unclip.data.source import Source, open_source
from unclip.recipes.settings.run import RunConfig

SHAPES = "shapes"
LOOK = 1000
"""So many pairs tell the size of a data set's pictures."""


def open_data(
    data: str,
    size: int = 32,
    split: str = "train",
    captioned: bool = True,
    captions: Captions = "auto",
    column: str = "",
) -> Source | World:
    """The data that `data` names; size: of a drawn world. Raises ValueError for a path without pairs."""
    return World(size) if data == SHAPES else open_source(Path(data), split, captioned, captions, column)


def open_again(data: str, config: RunConfig, split: str, how: Read = Read()) -> Source | World:
    """The data that `data` names, read as those of a run were, unless another way is asked for."""
    return open_data(data, config.size, split, config.captioned, *said(how, config))


def said(how: Read, config: RunConfig) -> tuple[Captions, str]:
    """(captions, column): as they are asked for, else those of a run."""
    column = config.caption_column if how.caption_column is None else how.caption_column
    return how.captions or config.captions, column


def mirrors(source: Source | World) -> bool:
    """Whether a mirrored picture is as good: not where captions were written, which may speak of left and right."""
    return not isinstance(source, World) and source.kind in ("parquet", "class folders", "pictures without captions")


def natural_size(source: Source | World, captioned: bool = True) -> int:
    """32 or 64 px, whichever the median picture can fill. Raises ValueError where no picture can be read."""
    if isinstance(source, World):
        return source.size
    report = inspect_source(source, LOOK, captioned)
    if not report.pairs:
        raise ValueError("\n".join([f"{source.root}: no usable pair among the first {LOOK:,}", *report.problems[:3]]))
    return 32 if min(report.image_size[1]) <= 48 else 64


def is_same_data(source: Source | World, prepared: Path, captioned: bool = True) -> bool:
    """Whether the folder `prepared` holds just this data, with no file added, changed or taken away."""
    if not isinstance(source, World):
        return is_prepared(source, prepared, captioned)
    about = read_about(prepared) or {}
    return about.get("kind") == "drawn shapes" and about.get("size") == source.size

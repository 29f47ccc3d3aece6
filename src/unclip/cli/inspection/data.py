"""`unclip data`, `unclip pack`, `unclip shapes`: look at captioned images, pack them, draw some."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from unclip.cli.arguments.options import SEED, SPLIT, ReadOptions
from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import FAILED, guarded
from unclip.data.layouts.kinds import Fit

if TYPE_CHECKING:
    from unclip.data.source import Source

Data = Annotated[Path, Parameter(help="A folder (or file) of captioned images.")]
Split = Annotated[str, Parameter(help=SPLIT)]

Background = Annotated[str, Parameter(help="Colour behind images that are transparent.")]
Fitted = Annotated[Fit, Parameter(help="Images that are not square: crop takes their middle, pad all of them.")]


@guarded
def data(
    data: Data,
    /,
    *,
    split: Split = "train",
    how: ReadOptions = ReadOptions(),
    background: Background = "white",
    fit: Fitted = "crop",
) -> None:
    """Report on captioned images: how many, how large, what is wrong with them and what is left out.

    The exit code is 1 where not one can be used.
    """
    from unclip.cli.screen.console import stdout
    from unclip.data.advice import advice
    from unclip.data.images.colours import colour
    from unclip.data.prepare.inspect import inspect_source
    from unclip.data.source import notes_of

    colour(background)
    console, source = stdout(), as_asked(data, split, how)
    report = inspect_source(source, background=background, fit=fit)
    for line in (*report.lines(), *notes_of(source), *advice(report)):
        console.print(line, style="yellow" if line.startswith("!") else "")
    if not report.pairs:
        raise SystemExit(FAILED)


@guarded
def pack(
    folder: Data,
    shards: Annotated[Path, Parameter(help="A new folder for the shards.")],
    /,
    *,
    split: Split = "train",
    how: ReadOptions = ReadOptions(),
    per_shard: Annotated[int, Parameter(help="Pairs in one shard.")] = 10_000,
) -> None:
    """Pack captioned images into WebDataset tar shards."""
    check_folder(shards, "SHARDS")
    from unclip.cli.screen.console import stdout
    from unclip.core.shown import printable
    from unclip.data.files.listing import Group
    from unclip.data.item import Item
    from unclip.data.layouts.pack import pack as write_shards
    from unclip.data.source import notes_of

    left, console = Group(), stdout()

    def leave(item: Item) -> None:
        left.add(f"{item.key}: {item.problem}")

    source = as_asked(folder, split, how)
    count = write_shards(source, shards, per_shard, leave)
    for line in notes_of(source):
        console.print(line, style="yellow" if line.startswith("!") else "")
    if left.count:
        console.print(f"! left out: {left.count:,} that cannot be used ({left.named()})", style="yellow")
    console.print(f"{count:,} pairs in {printable(shards)}")


@guarded
def shapes(
    out: Annotated[Path, Parameter(help="A new folder for the images.")],
    /,
    *,
    n: Annotated[int, Parameter(name="-n", help="How many.")] = 1000,
    size: Annotated[Literal[32, 64], Parameter(help="Their side in pixels.")] = 32,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
) -> None:
    """Draw captioned shapes: PNG files and metadata.jsonl, a data set to try things on."""
    if n < 1:
        raise ValueError(f"-n {n}: draw at least 1 image")
    from unclip.cli.screen.console import stdout
    from unclip.core.disk.new import new_folder

    check_folder(out, "OUT")
    with new_folder(out) as folder:
        lines = "".join(json.dumps(row) + "\n" for row in draw(folder, n, size, seed))
        (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")
    stdout().print(f"{n:,} images in {out}")


def as_asked(folder: Path, split: str, how: ReadOptions) -> "Source":
    """The data in a folder."""
    from unclip.data.source import open_source

    return open_source(folder, split, captions=how.captions or "auto", column=how.caption_column or "")


def draw(out: Path, n: int, size: int, seed: int) -> Iterator[dict[str, Any]]:
    """Writes n scenes and yields a line of metadata for each of their captions."""
    from PIL import Image

    from unclip.data.shapes.world import World
    from unclip.images.files import encoded

    for i, (pixels, captions, _) in enumerate(World(size).sample(n, seed)):
        (out / f"{i:06d}.png").write_bytes(encoded(Image.fromarray(pixels), ".png"))
        yield from ({"file_name": f"{i:06d}.png", "text": caption} for caption in captions)

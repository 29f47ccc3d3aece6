"""`unclip data`, `unclip pack`, `unclip shapes`: look at captioned pictures, pack them, draw some."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from unclip.cli.guard import guarded
from unclip.cli.written import check_folder

Data = Annotated[Path, Parameter(help="A folder (or file) of captioned pictures.")]
Split = Annotated[str, Parameter(help="train or validation, where the data has splits.")]


@guarded
def data(data: Data, /, *, split: Split = "train") -> None:
    """Report on captioned pictures: how many, how large, and what is wrong with them."""
    from unclip.cli.console import stdout
    from unclip.data.inspect import inspect_source
    from unclip.data.source import open_source

    console = stdout()
    for line in inspect_source(open_source(data, split)).lines():
        console.print(line, style="yellow" if line.startswith("!") else "")


@guarded
def pack(
    folder: Data,
    shards: Annotated[Path, Parameter(help="A new folder for the shards.")],
    /,
    *,
    split: Split = "train",
    per_shard: Annotated[int, Parameter(help="Pairs in one shard.")] = 10_000,
) -> None:
    """Pack captioned pictures into WebDataset tar shards."""
    check_folder(shards, "SHARDS")
    from unclip.cli.console import stdout
    from unclip.data import shards as tar
    from unclip.data.source import open_source

    count = tar.pack(open_source(folder, split), shards, per_shard)
    stdout().print(f"{count:,} pairs in {shards}")


@guarded
def shapes(
    out: Annotated[Path, Parameter(help="A new folder for the pictures.")],
    /,
    *,
    n: Annotated[int, Parameter(name="-n", help="How many.")] = 1000,
    size: Annotated[Literal[32, 64], Parameter(help="Their side in pixels.")] = 32,
    seed: Annotated[int, Parameter(help="Of the scenes.")] = 0,
) -> None:
    """Draw captioned shapes: PNG files and metadata.jsonl, a data set to try things on."""
    if n < 1:
        raise ValueError(f"-n {n}: draw at least 1 picture")
    from unclip.cli.console import stdout

    check_folder(out, "OUT")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: is there already and not empty; name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in draw(out, n, size, seed))
    (out / "metadata.jsonl").write_text(lines, encoding="utf-8")
    stdout().print(f"{n:,} pictures in {out}")


def draw(out: Path, n: int, size: int, seed: int) -> Iterator[dict[str, Any]]:
    """Writes n scenes and yields a line of metadata for each of their captions."""
    from PIL import Image

    from unclip.data.shapes_world import World

    for i, (pixels, captions, _) in enumerate(World(size).sample(n, seed)):
        Image.fromarray(pixels).save(out / f"{i:06d}.png")
        yield from ({"file_name": f"{i:06d}.png", "text": caption} for caption in captions)

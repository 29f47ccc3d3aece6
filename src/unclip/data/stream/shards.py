"""The shards of a streamed run: which are held out, which are trained on, and what is known of each so far.

data/stream.json says which shards the run began with; data/counts.jsonl has a line for each that was indexed, and is
only there to save that work when the run goes on.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from unclip.core.config.tables import read_json
from unclip.core.disk.atomic import write_atomic
from unclip.core.shown import printable
from unclip.data.files.listing import File, Listing
from unclip.data.layouts.kinds import SPLITS
from unclip.data.layouts.shards import ShardSource
from unclip.data.prepare.read import WORDS
from unclip.data.prepare.splits_file import HELD_OUT
from unclip.data.stream.index import Index, check_same, gone, index_shard

NAME, COUNTS, TEXTS = "stream.json", "counts.jsonl", "texts.jsonl"
VERSION = 1


@dataclass
class Shards:
    """Shards that a run streams.

    Args:
        place: the folder that remembers them, as the `data` of a run.
        root: where they lie now.
        files: all of them.
        column: of the captions, where it has none of the usual names.
        looked: split -> the names of shards of which a sample is prepared; those of `HELD_OUT` are not trained on.
        images: about how many images the others hold, as was thought when the run began.
        counts: name -> (samples, digest of the index), of those that were indexed.
    """

    place: Path
    root: Path
    files: Listing
    column: str
    looked: Mapping[str, tuple[str, ...]]
    images: int
    counts: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])

    @cached_property
    def trained(self) -> list[File]:
        """The shards that are trained on, in the order of their names."""
        held = {name for split in HELD_OUT for name in self.looked[split]}
        return [file for file in self.files if file.name not in held]

    @property
    def source(self) -> ShardSource:
        """All of them, as a data set that is read from its first sample to its last."""
        return ShardSource(self.root, self.files, self.column)

    def path(self, name: str) -> Path:
        """Where a shard lies."""
        return self.root if self.root.is_file() else self.root / name

    def index(self, file: File) -> Index:
        """Reads a shard's headers. Raises ValueError where it is gone, or is not what the run began with."""
        path = self.path(file.name)
        try:
            check_same(path, file, os.stat(path))
            found = index_shard(path)
        except OSError as error:
            raise gone(path, error) from error
        _, known = self.counts.get(file.name, (0, found.digest))
        if known != found.digest:
            raise ValueError(
                f"{printable(path)}: holds other files than when the run began; put the old one back, or begin a new "
                "run (another --out)"
            )
        return found

    def note(self, file: File, found: Index, write: bool) -> None:
        """Remembers how much a shard holds. write: for the next process, too."""
        if file.name in self.counts:
            return
        self.counts[file.name] = len(found.rows), found.digest
        if write:
            line = json.dumps({"shard": file.name, "samples": len(found.rows), "digest": found.digest})
            with (self.place / COUNTS).open("a", encoding="utf-8") as out:
                out.write(f"{line}\n")

    def moved(self, source: object) -> "Shards | None":
        """The same shards where a source has them now; None where that has others, by name and size."""
        if not isinstance(source, ShardSource) or self.column != source.column:
            return None
        same = [(f.name, f.size) for f in self.files] == [(f.name, f.size) for f in source.files]
        return replace(self, root=source.root, files=source.files) if same else None

    def keep(self) -> None:
        """Writes stream.json."""
        files = [[file.name, file.size, file.mtime_ns] for file in self.files]
        about = {"version": VERSION, "root": str(self.root.absolute()), "column": self.column, "images": self.images}
        write_atomic(self.place / NAME, json.dumps({**about, "looked": self.looked, "files": files}))


def open_shards(place: Path) -> Shards | None:
    """What a folder remembers of the shards that it streams; None where it streams none.

    Raises ValueError that names the file where it is damaged.
    """
    if not (place / NAME).exists():
        return None
    about = read_json(place / NAME, "the shards that a run streams; restore it, or begin another run")
    try:
        if about["version"] != VERSION:
            raise ValueError(f"has version {about['version']}, this unclip reads {VERSION}")
        files = Listing(File(str(name), int(size), int(time)) for name, size, time in about["files"])
        looked = {split: tuple(map(str, about["looked"][split])) for split in SPLITS}
        root, column, images = Path(about["root"]), str(about["column"]), int(about["images"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{place / NAME}: is damaged ({error}); restore it, or begin another run") from error
    return Shards(place, root, files, column, looked, images, dict(_counted(place / COUNTS)))


def forget(place: Path) -> None:
    """Takes away what a run that was never begun has noted."""
    for name in (NAME, COUNTS, TEXTS, WORDS):
        (place / name).unlink(missing_ok=True)


def _counted(path: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Of each line that is whole: after a kill the last may not be."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            row: dict[str, Any] = json.loads(line)
            yield str(row["shard"]), (int(row["samples"]), str(row["digest"]))

"""What a tar shard holds and where, from its headers alone, and how one sample of it is read."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unclip.core.shown import printable
from unclip.data.files.listing import File
from unclip.data.files.members import Member, places
from unclip.data.files.regular import open_regular
from unclip.data.item import Item, is_picture
from unclip.data.layouts.shards import Sample, items_of, samples_of


@dataclass(frozen=True)
class Index:
    """The samples of a shard that have an image, in its order.

    rows: the files of each, as JSON: name, why it is not read, place and size in the tar. digest: of them all. cut:
    what is wrong with its end, "" where nothing is; what lies before that is whole.
    """

    rows: list[bytes]
    digest: str
    cut: str


def index_shard(path: Path) -> Index:
    """Reads the headers of a tar that is not compressed. Raises OSError where the file is gone."""
    os.stat(path)
    cut = list[str]()
    rows = [
        json.dumps([[m.name, m.refused, m.at, m.size] for m in sample.values()]).encode()
        for sample in samples_of(_whole(path, cut))
        if any(is_picture(name) and not member.refused for name, member in sample.items())
    ]
    digest = hashlib.blake2b(b"\n".join(rows), digest_size=16).hexdigest()
    return Index(rows, digest, "".join(cut))


def _whole(path: Path, cut: list[str]) -> Iterator[Member]:
    """The files of a tar, up to where it is damaged: what is wrong there is appended."""
    try:
        yield from places(path)
    except ValueError as error:
        cut.append(str(error))


def read_sample(path: Path, file: File, key: str, row: bytes, column: str) -> Item:
    """The pair of a row, as `ShardSource` gives it. file: what the shard was when it was indexed; key: of the shard.

    Raises ValueError where the shard has changed since, or is gone.
    """
    try:
        with open_regular(path) as tar:
            check_same(path, file, os.fstat(tar.fileno()))
            return sample_item(tar, key, row, column)
    except OSError as error:
        raise gone(path, error) from error


def sample_item(
    tar: BinaryIO, key: str, row: bytes, column: str, wanted: Callable[[str], bool] = lambda name: True
) -> Item:
    """The same from an open tar; files that are not wanted are left empty."""
    sample = Sample()
    for name, refused, at, size in json.loads(row):
        tar.seek(at)
        sample[name] = Member(name, tar.read(size) if size and wanted(name) else b"", refused)
    *_, pair = items_of(key, sample, column)
    return pair


def check_same(path: Path, file: File, now: os.stat_result) -> None:
    """Raises ValueError where a shard is not the one that the run began with."""
    if (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns):
        raise ValueError(
            f"{printable(path)}: has changed while the run reads it ({now.st_size:,} bytes, {file.size:,} before); put "
            "the old one back, and the same command goes on, or begin a new run (another --out)"
        )


def gone(path: Path, error: OSError) -> ValueError:
    """What is told where a shard cannot be read."""
    why = printable(error.strerror or error)
    return ValueError(
        f"{printable(path)}: this shard of the run's data cannot be read ({why}); all processes must see it where the "
        "first one does: put it back, or say where the shards lie now, as unclip train SHARDS --out RUN; then the same "
        "command goes on from the last checkpoint"
    )

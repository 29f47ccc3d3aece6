"""A preparation in progress: the images that are decoded, and a line for every item that was looked at.

A stopped preparation leaves both, and the same command goes on behind the last item whose line and pixels are whole.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from unclip.data.item import Item, held, no_picture
from unclip.data.prepare.inspect import Examined
from unclip.data.prepare.read import HEADER, digest, temporary

Row = dict[str, Any]


class Journal:
    """images.npy.tmp and progress.jsonl.tmp in the folder `out`, continued where `about` is as when they were begun."""

    def __init__(self, out: Path, size: int, about: Row) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.size, self.count = size, 0
        self.places = temporary(out / "images.npy"), temporary(out / "progress.jsonl")
        head = _line(about)
        going_on = _first_line(self.places[1]) == head and self.places[0].exists()
        self.images, self.lines = ((p.open("r+b") if going_on else p.open("w+b")) for p in self.places)
        if not going_on:
            self.images.write(bytes(HEADER))  # the number of images is not known before the end
            self.lines.write(head)
        self.images.seek(HEADER)
        self.lines.seek(len(head))
        self.begins = len(head)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keeps what there is wherever it ended but at the end: too many bad images may be allowed the next time."""
        self.images.close()
        self.lines.close()
        if kind is None:
            for place in self.places:
                place.unlink(missing_ok=True)

    def kept(self, item: Item) -> Examined | None:
        """The next item of an earlier preparation; None where there is no more of it, and new ones are to be added."""
        at, pixels_at = self.lines.tell(), self.images.tell()
        row = _row(self.lines.readline())
        if (
            row is not None
            and (row["key"], tuple(row["captions"])) == (item.key, item.captions)
            and (row["pixels"] is None or digest(self.images.read(3 * self.size**2)) == row["pixels"])
        ):
            self.count += row["pixels"] is not None
            return _examined(row)
        for file, end in ((self.lines, at), (self.images, pixels_at)):
            file.seek(end)
            file.truncate()
        return None

    def add(self, found: Examined) -> None:
        """One more item."""
        if found.pixels is not None:
            self.images.write(found.pixels.tobytes())
            self.count += 1
        self.lines.write(_line(_noted(found)))

    def rows(self) -> Iterator[Row]:
        """All that was noted, in order."""
        self.lines.seek(self.begins)
        for line in self.lines:
            yield json.loads(line)


def _noted(found: Examined) -> Row:
    item = found.item
    return {
        "key": item.key,
        "captions": item.captions,
        "picture": item.has_picture,
        "original": found.original,
        "digest": found.digest.hex(),
        "pixels": None if found.pixels is None else digest(found.pixels.tobytes()),
        "problem": found.problem,
        "flat": found.flat,
        "note": found.note,
    }


def _examined(row: Row) -> Examined:
    """As it was noted, without its pixels, which are written."""
    item = Item(row["key"], held(b"") if row["picture"] else no_picture, tuple(row["captions"]))
    width, height = row["original"]
    size, file = (width, height), bytes.fromhex(row["digest"])
    return Examined(item, None, size, file, row["problem"], row["flat"], row["note"])


def _row(line: bytes) -> Row | None:
    """A line; None where it was cut off, or there is none."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _line(values: Row) -> bytes:
    return (json.dumps(values, ensure_ascii=False) + "\n").encode()


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.readline()
    except OSError:
        return b""


def kept_for(out: Path) -> Row | None:
    """What an unfinished preparation in `out` was begun with; None where there is none."""
    return _row(_first_line(temporary(out / "progress.jsonl")))


def sync(file: BinaryIO) -> None:
    """The bytes on the disk: a rename must not survive a power cut that its data did not."""
    file.flush()
    os.fsync(file.fileno())

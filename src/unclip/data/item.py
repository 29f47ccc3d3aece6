"""One candidate pair, what a source of pairs can do, and the small words that every layout shares."""

import hashlib
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

import numpy as np

from unclip.core.shown import printable
from unclip.data.files.listing import Listing

PICTURES = frozenset({"png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "gif", "tif", "tiff"})
CAPTION_NAMES = ("text", "caption", "captions", "texts")
CAPTION_FILES = ("txt", "caption", "json")
"""Endings of a file that holds the captions of one image; where there are several, the first counts."""

Row = dict[str, object]
Picture = bytes | np.ndarray
"""An encoded image (PNG, JPEG, ...), or its pixels, uint8: RGB [h, w, 3], RGBA [h, w, 4] or gray [h, w]."""


def no_picture() -> NoReturn:
    """The `read` of an item whose caption leads to no image; raises OSError."""
    raise OSError("there is no image")


@dataclass(frozen=True)
class Skipped:
    """The `read` of an item whose image is there but is not read, with the reason."""

    reason: str

    def __call__(self) -> NoReturn:
        """Raises ValueError."""
        raise ValueError(self.reason)


@dataclass(frozen=True)
class Item:
    """One image with its captions, before it is decoded.

    Args:
        key: the path inside the data set, such as "cats/1.png", "shard-000.tar/0001.png" or "train.parquet#17".
        read: returns the image: the bytes of a file, or pixels as uint8 [h, w, 3]; may raise OSError.
        captions: () where none was found.
        problem: why it cannot be used, with the fix where one is known; None: nothing.
        held: the bytes of memory that `read` keeps.
        quick: whether `read` returns pixels in less time than another thread would cost.
    """

    key: str
    read: Callable[[], Picture]
    captions: tuple[str, ...]
    problem: str | None = None
    held: int = 0
    quick: bool = False

    @property
    def has_picture(self) -> bool:
        """Whether there is an image; False for a caption, or a line of metadata, that leads to none."""
        return self.read is not no_picture


@runtime_checkable
class Source(Protocol):
    """A data set: `root`, `kind`, `fingerprint()`, and `Item`s when one iterates over it, always in the same order.

    root: where it lies, for messages. kind: what it is called, for messages. fingerprint(): a text that changes when
    the data do. Any object that has these is one.
    """

    @property
    def root(self) -> Path: ...

    @property
    def kind(self) -> str: ...

    def __iter__(self) -> Iterator[Item]: ...

    def fingerprint(self) -> str: ...


@runtime_checkable
class Scalable(Source, Protocol):
    """A data set whose images can be had at several sizes, as those that are drawn when they are read."""

    def at(self, size: int) -> Source:
        """The same images with sides of `size` px, under the same fingerprint. Raises ValueError for a size that
        cannot be."""
        ...


def at_size(source: Source, size: int) -> Source:
    """The source with images of `size` px where it can have them; otherwise as it is, and images are scaled."""
    return source.at(size) if isinstance(source, Scalable) else source


@dataclass(frozen=True)
class FileSource(ABC):
    """A source that is a fixed list of files: `root` is a folder, or the one file itself.

    column: of the captions in metadata, Parquet or JSON, where it has none of the usual names. notes: lines for a
    person, about what lies there and is left out; "!" before those that matter.
    """

    root: Path
    files: Listing
    column: str = ""
    notes: tuple[str, ...] = ()
    kind: str = field(init=False)

    @abstractmethod
    def __iter__(self) -> Iterator[Item]: ...

    def path(self, name: str) -> Path:
        """Where the file of that name lies."""
        return self.root / name if self.root.is_dir() else self.root

    def fingerprint(self) -> str:
        """sha256 (hex) over the kind, the column and each file's relative name, size and modification time."""
        digest = hashlib.sha256(f"{self.kind}\0{self.column}".encode("utf-8", "surrogatepass"))
        for file in self.files:
            digest.update(f"\0{file.name}\0{file.size}\0{file.mtime_ns}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def extension(name: str) -> str:
    """The lower-case ending without its dot: "a/B.v2.JPG" -> "jpg"; "" where there is none."""
    base = name.rpartition("/")[2]
    return base.rpartition(".")[2].lower() if "." in base else ""


def stem(name: str) -> str:
    """The name without its ending: "a/B.v2.JPG" -> "a/B.v2"."""
    return name[: -len(extension(name)) - 1] if extension(name) else name


def is_picture(name: str) -> bool:
    """Whether the ending is one of PICTURES, in any case."""
    return extension(name) in PICTURES


def same(name: str) -> str:
    """A name as names are compared: composed, since a Mac writes an accent as a letter of its own."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def key_of(name: str) -> str:
    """A file name that can always be written as UTF-8 (a Linux file name need not be)."""
    return name.encode("utf-8", "backslashreplace").decode()


def mixed(key: str) -> bytes:
    """What to sort by for an order that depends on the keys alone and mixes those that are alike."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def clean(texts: Iterable[object]) -> tuple[str, ...]:
    """Captions with white space collapsed, half surrogates dropped, empty and repeated ones left out."""
    words = (" ".join(str(text).encode("utf-8", "ignore").decode().split()) for text in texts)
    return tuple(dict.fromkeys(text for text in words if text))


def captions_of(value: object) -> tuple[str, ...]:
    """The captions in a metadata value: a string, a number, or a list of them; anything else gives ()."""
    if isinstance(value, list | tuple):
        return clean(text for text in value if isinstance(text, str))
    return clean([value]) if isinstance(value, str | int | float) and not isinstance(value, bool) else ()


def normal(row: Row) -> Row:
    """A metadata row with its column names as they are compared: in small letters, without spaces around them."""
    return {str(name).strip().lower(): value for name, value in row.items()}


def captions_in(row: Row, column: str = "") -> tuple[str, ...]:
    """The captions of a `normal` row: of that column, else the first of CAPTION_NAMES that holds any."""
    names = (column.strip().lower(),) if column else CAPTION_NAMES
    return next(filter(None, (captions_of(row.get(name)) for name in names)), ())


def lacks_captions(where: str, columns: Iterable[object], column: str = "") -> str:
    """What to tell where a row has no captions: which columns it has, and how to name the right one."""
    names = [printable(name, 40) for name, _ in zip(columns, range(20), strict=False)]
    wanted = f'"{printable(column)}"' if column else '"text" or "caption"'
    others = [name for name in names if name.strip().lower() != "file_name"]
    advice = f"name the one with the captions: --caption-column '{others[-1]}'" if others else "add a caption"
    return f"{where} has no {wanted}, only {', '.join(names) or 'nothing'}: {advice}"


def text_lines(data: bytes) -> tuple[str, ...]:
    """One caption per non-empty line of a UTF-8 text; raises UnicodeDecodeError (a ValueError)."""
    return clean(data.decode("utf-8-sig").splitlines())


def held(data: bytes) -> Callable[[], bytes]:
    """A `read` for bytes that are already in memory."""
    return lambda: data

"""One candidate pair, what a source of pairs can do, and the small words that every layout shares."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

PICTURES = frozenset({"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"})
CAPTION_NAMES = ("text", "caption", "captions", "texts")


def no_picture() -> NoReturn:
    """The `read` of an item whose caption leads to no picture; raises OSError."""
    raise OSError("there is no picture")


@dataclass(frozen=True)
class Item:
    """One candidate pair, before decoding.

    `key` is the path inside the data set, e.g. "cats/1.png", "shard-000.tar/0001.png" or "train.parquet#17".
    `read` gives the encoded image bytes and may raise OSError. `captions` is () when none was found (an orphan).
    `problem` says why the pair cannot be used, with the fix where one is known.
    """

    key: str
    read: Callable[[], bytes]
    captions: tuple[str, ...]
    problem: str | None = None

    @property
    def has_picture(self) -> bool:
        """False for a caption (or a metadata line) that leads to no picture."""
        return self.read is not no_picture


@runtime_checkable
class Source(Protocol):
    """A data set that is read as a stream, always in the same order."""

    @property
    def root(self) -> Path: ...

    @property
    def kind(self) -> str: ...

    def __iter__(self) -> Iterator[Item]: ...

    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class File:
    """A file as the file system lists it: posix name relative to the data set, bytes, nanoseconds."""

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class FileSource(ABC):
    """A source that is a fixed list of files: `root` is a folder, or the one file itself."""

    root: Path
    files: tuple[File, ...]
    kind: str = field(init=False)

    @abstractmethod
    def __iter__(self) -> Iterator[Item]: ...

    def path(self, name: str) -> Path:
        """Where the file of that name lies."""
        return self.root / name if self.root.is_dir() else self.root

    def fingerprint(self) -> str:
        """sha256 (hex) over the kind and each file's relative name, size and modification time."""
        digest = hashlib.sha256(self.kind.encode())
        for file in sorted(self.files, key=lambda file: file.name):
            digest.update(f"\0{file.name}\0{file.size}\0{file.mtime_ns}".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def list_files(path: Path) -> tuple[File, ...]:
    """Every file below a folder (or the file itself), sorted by name; hidden files and folders are left out.

    Raises ValueError when a folder cannot be listed.
    """
    if path.is_file():
        stat = path.stat()
        return (File(path.name, stat.st_size, stat.st_mtime_ns),)
    try:
        return tuple(sorted(_walk(path, "", frozenset()), key=lambda file: file.name))
    except OSError as error:
        raise ValueError(f"{error.filename}: cannot be listed ({error.strerror}); check its permissions") from error


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[File]:
    stat = folder.stat()
    here = (stat.st_dev, stat.st_ino)
    if here in above:  # a symbolic link that leads back up would never end
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", above | {here})
            elif entry.is_file():
                stat = entry.stat()
                yield File(prefix + entry.name, stat.st_size, stat.st_mtime_ns)


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


def key_of(name: str) -> str:
    """A file name that can always be written as UTF-8 (a Linux file name need not be)."""
    return name.encode("utf-8", "backslashreplace").decode()


def clean(texts: Iterable[object]) -> tuple[str, ...]:
    """Captions with white space collapsed, half surrogates dropped, empty and repeated ones left out."""
    words = (" ".join(str(text).encode("utf-8", "ignore").decode().split()) for text in texts)
    return tuple(dict.fromkeys(text for text in words if text))


def captions_of(value: object) -> tuple[str, ...]:
    """The captions in a metadata value: a string, a number, or a list of them; anything else gives ()."""
    if isinstance(value, list | tuple):
        return clean(text for text in value if isinstance(text, str))
    return clean([value]) if isinstance(value, str | int | float) and not isinstance(value, bool) else ()


def captions_in(row: dict[str, object]) -> tuple[str, ...]:
    """The captions of a metadata row: the first of CAPTION_NAMES that holds any."""
    return next(filter(None, (captions_of(row.get(name)) for name in CAPTION_NAMES)), ())


def text_lines(data: bytes) -> tuple[str, ...]:
    """One caption per non-empty line of a UTF-8 text; raises UnicodeDecodeError (a ValueError)."""
    return clean(data.decode("utf-8-sig").splitlines())


def held(data: bytes) -> Callable[[], bytes]:
    """A `read` for bytes that are already in memory."""
    return lambda: data

"""The files of a data set: regular files only, in a fixed order, in few bytes; a run folder is never among them."""

import os
import stat
import tomllib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from unclip.core.shown import printable
from unclip.data.files.regular import read_regular

DEEPEST = 100
"""Folders within folders."""
RUN = ("run.toml", "state.json")
"""What a run folder holds: its settings from the first moment, how its stages ended later."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as the file system lists it: posix name relative to the data set, bytes, nanoseconds."""

    name: str
    size: int
    mtime_ns: int


class Listing(Sequence[File]):
    """Files in a fixed order. A million take their names and 24 MB, where objects would take 300 MB."""

    def __init__(self, files: Iterable[File] = ()) -> None:
        self._names, self._ends = bytearray(), array("q", [0])
        self._sizes, self._times = array("q"), array("q")
        for file in files:
            self._names += file.name.encode("utf-8", "surrogatepass")  # a Linux file name need not be UTF-8
            self._ends.append(len(self._names))
            self._sizes.append(file.size)
            self._times.append(file.mtime_ns)

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> File: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[File]: ...
    def __getitem__(self, index: int | slice) -> File | Sequence[File]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        return File(self.name(i), self._sizes[i], self._times[i])

    def name(self, i: int) -> str:
        """The name of file i >= 0."""
        return self._names[self._ends[i] : self._ends[i + 1]].decode("utf-8", "surrogatepass")

    def names(self) -> Iterator[str]:
        """All names, in order."""
        return map(self.name, range(len(self)))

    def those(self, wanted: Callable[[str], bool]) -> "Listing":
        """The files whose names are wanted, in the same order."""
        return Listing(self[i] for i, name in enumerate(self.names()) if wanted(name))


@dataclass
class Group:
    """So many files of a kind, and the first few of their names."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Counts one more."""
        self.count += 1
        if len(self.first) < 3:
            self.first.append(name)

    def named(self) -> str:
        """ "a.png, b.png, ..." in printable characters."""
        return ", ".join(map(printable, self.first)) + (", ..." if self.count > len(self.first) else "")


@dataclass(frozen=True)
class FolderContents:
    """What lies in a folder. runs: folders of runs; special: pipes, devices, links that lead nowhere; hidden: names
    with a dot before them. Only `files` may be read."""

    files: Listing
    runs: Group = field(default_factory=Group)
    special: Group = field(default_factory=Group)
    hidden: Group = field(default_factory=Group)


def list_files(path: Path) -> FolderContents:
    """Every file below a folder (or the file itself), sorted by name.

    Raises ValueError when a folder cannot be listed, is the folder of a run, or when the file is no ordinary one.
    """
    try:
        about = path.stat()
        if stat.S_ISREG(about.st_mode):
            return FolderContents(Listing([File(path.name, about.st_size, about.st_mtime_ns)]))
        if not stat.S_ISDIR(about.st_mode):
            raise ValueError(
                f"{printable(path)}: is not a regular file; name a folder of images, a Parquet file or a tar"
            )
        if is_run(path):
            raise ValueError(f"{printable(path)}: is the folder of a run, not data; name the folder of your images")
        found = FolderContents(Listing())
        return FolderContents(Listing(_walk(path, "", (), found)), found.runs, found.special, found.hidden)
    except OSError as error:
        where = printable(error.filename or path)
        raise ValueError(f"{where}: cannot be listed ({error.strerror}); check its permissions") from error


def is_run(folder: Path) -> bool:
    """Whether a folder is one that `unclip train` writes: its images are results, never data."""
    settings, state = (folder / name for name in RUN)
    if not settings.is_file():
        return False
    if state.is_file():
        return True
    try:
        return {"model", "budget"} <= tomllib.loads(read_regular(settings, 1_000_000).decode()).keys()
    except (OSError, ValueError):
        return False


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...], found: FolderContents) -> Iterator[File]:
    about = folder.stat()
    here = (about.st_dev, about.st_ino)
    if here in above:  # a symbolic link that leads back up would never end
        return
    if len(above) > DEEPEST:
        raise ValueError(f"{printable(folder)}: lies more than {DEEPEST} folders deep; name a folder further down")
    for name in _sorted(folder, prefix, found):
        if not name.endswith("/"):
            yield from _file(folder / name, prefix + name, found)
        elif is_run(folder / name):
            found.runs.add(prefix + name.rstrip("/"))
        else:
            yield from _walk(folder / name, prefix + name, (*above, here), found)


def _sorted(folder: Path, prefix: str, found: FolderContents) -> list[str]:
    """The names in a folder, those of folders with a "/", so that what is below them lies sorted, too."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                found.hidden.add(prefix + entry.name)
            else:
                names.append(entry.name + "/" * entry.is_dir())
    return sorted(names)


def _file(path: Path, name: str, found: FolderContents) -> Iterator[File]:
    try:
        about = path.stat()
    except OSError:  # a link that leads nowhere
        found.special.add(name)
        return
    if stat.S_ISREG(about.st_mode):
        yield File(name, about.st_size, about.st_mtime_ns)
    else:
        found.special.add(name)

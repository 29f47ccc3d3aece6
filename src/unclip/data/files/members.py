"""The members of a tar, one after the other, each no larger than an image or a caption may be."""

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from unclip.core.shown import printable
from unclip.data.files.regular import MOST_CAPTION, MOST_PACKED, open_regular
from unclip.data.item import CAPTION_FILES, extension, is_picture

CAPTIONS = (*CAPTION_FILES, "cls")
"""Endings of captions in a tar, the first that is there counts."""
TWICE = "comes twice in the tar (tar --append adds, it never replaces); the first is read: pack it again"
MOST_HEADER = 1_000_000
"""Bytes of a name or of further attributes, which tarfile reads whole."""


@dataclass(frozen=True)
class Member:
    """A file in a tar. refused: why it is not read, "" where it is; repeated: it has the name of an earlier one.

    at, size: where its bytes lie in the unpacked tar, and how many they are; 0, 0 where it is not read.
    """

    name: str
    data: bytes
    refused: str = ""
    repeated: bool = False
    at: int = 0
    size: int = 0


def members(path: Path) -> Iterator[Member]:
    """Every file of a tar but the hidden ones, with its bytes where it is an image or lies beside one.

    Raises ValueError that names the tar where it is damaged or cut short.
    """
    with _opened(path) as tar:
        for member, info in _walk(tar):
            content = tar.extractfile(info) if member.size else None
            yield member if content is None else replace(member, data=content.read())


def places(path: Path) -> Iterator[Member]:
    """The same without their bytes, of a tar that is not compressed: its headers are read, the rest is passed over.

    Raises ValueError as `members`, but behind all that is whole.
    """
    with _told(path), open_regular(path) as file:
        end = os.fstat(file.fileno()).st_size
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_Header) as tar:
            for member, _ in _walk(tar):
                if member.at + member.size > end:
                    raise tarfile.ReadError("its last file is not whole")
                yield member
        _check_end(file, False)


def _walk(tar: tarfile.TarFile) -> Iterator[tuple[Member, tarfile.TarInfo]]:
    """Every file but the hidden ones, before its bytes are read."""
    seen = set[int]()
    while (info := tar.next()) is not None:
        vars(tar)["members"].clear()  # tarfile keeps all of them; the stubs do not know the list
        name = info.name.removeprefix("./")
        if name.rpartition("/")[2].startswith(".") or info.isdir():
            continue
        if not (is_picture(name) or extension(name) in CAPTIONS):
            yield Member(name, b""), info  # an array or a film beside an image is none of ours
            continue
        if hash(name) in seen:
            yield Member(name, b"", TWICE, repeated=True), info
            continue
        seen.add(hash(name))
        yield _member(info, name), info


def _member(info: tarfile.TarInfo, name: str) -> Member:
    if not info.isfile():
        what = "a link" if info.islnk() or info.issym() else "no file"
        return Member(name, b"", f"is {what} in the tar; pack it with tar --dereference --hard-dereference")
    maximum = MOST_PACKED if is_picture(name) else MOST_CAPTION
    if info.size > maximum:
        return Member(name, b"", f"has {info.size / 1e6:,.0f} MB, at most {maximum / 1e6:,.0f} MB are read")
    return Member(name, b"", at=info.offset_data, size=info.size)


class _Header(tarfile.TarInfo):
    """Refuses what tarfile would read into memory without a bound."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """A header of 512 bytes; raises TarError."""
        info = super().frombuf(buf, encoding, errors)
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it holds a file with holes; pack it without --sparse")
        if info.type in _BLOCKS and info.size > MOST_HEADER:
            raise tarfile.ReadError(f"a header of {info.size / 1e6:,.0f} MB")
        return info


_BLOCKS = frozenset(
    (
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )
)
"""Members that say something about the next one."""


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The tar as a forward-only stream."""
    with _told(path), open_regular(path) as file:
        zipped = file.read(2) == b"\x1f\x8b"
        _check_end(file, zipped)
        # gzip, not tarfile, unpacks: it says so when the file ends early, tarfile would take that for the end.
        stream = gzip.GzipFile(fileobj=file) if zipped else file
        with tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Header) as tar:
            yield tar


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Inside, whatever is wrong with a tar is told as a ValueError that names it."""
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{printable(path)}: is damaged or cut short ({printable(error)}); download or pack it again"
        ) from error


def _check_end(file: BinaryIO, zipped: bool) -> None:
    """A tar ends in blocks of zeros; tarfile itself does not notice a tar that was cut between two members."""
    if not zipped:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512))
        if any(file.read()):
            raise tarfile.ReadError("it does not end as a tar does")
    file.seek(0)

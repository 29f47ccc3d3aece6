"""Files and folders, written so that a kill, a full disk or a power cut leaves the old one whole, or the new one.

What is new is written beside its place under a temporary name, brought to the disk, and renamed. Nothing is deleted
but what unclip wrote: whatever else lies in a folder that is replaced moves into the new one.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

OURS = re.compile(r"config\.json|model\.safetensors|shard-\d+\.tar")
"""Names of the files that unclip writes into folders which it replaces or removes as a whole."""
PART = re.compile(r"\..+\.\d+\.part(\.\w+)?")
"""How `replacing` calls a file that is not whole yet."""
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""What the system says where there is no room: disk, file size, quota."""


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replaces `path` in one step: readers see the old file or the new one, never a part.

    Raises ValueError that says what is needed and what is free where the disk is full.
    """
    raw = data.encode() if isinstance(data, str) else data
    with replacing(path) as part, room_told(path, len(raw)):
        part.write_bytes(raw)


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """A place beside `path`, with the same ending; what is written there takes its place at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        sync(part)
        os.replace(part, path)
    except Exception:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_folder(path: Path, fill: Callable[[Path], None], before: Path | None = None) -> None:
    """Calls `fill` on a fresh folder beside `path`, then puts it in the place of `path`.

    before: where the folder that stood there is kept, one generation; by default it is removed.
    """
    path = Path(os.path.realpath(path))  # a link stays one: what it points to is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    part.mkdir()
    try:
        fill(part)
    except Exception:
        remove(part)
        raise
    for file in (*part.iterdir(), part):
        sync(file)
    if before is not None and path.exists():
        remove(before, heir=path)
        os.replace(path, before)
    elif path.exists():
        os.replace(path, old)
    os.replace(part, path)
    sync(path.parent)
    remove(old, heir=path)


def recover(path: Path) -> None:
    """Finishes a replacement that was cut short, so that nothing is lost. For writers alone, one at a time."""
    for old in leftovers(path, "old"):
        if path.exists():
            remove(old, heir=path)
        else:
            os.replace(old, path)
    for part in leftovers(path, "part"):
        remove(part)


def sweep(folder: Path) -> None:
    """Removes what a killed `replacing` left in a folder, whatever its name was to be."""
    for found in folder.glob(".*.part*"):
        if PART.fullmatch(found.name) and found.is_file() and not found.is_symlink():
            found.unlink()


def leftovers(path: Path, end: str) -> list[Path]:
    """What a killed writer of `path` left beside it: "part" what it wrote, "old" what it was about to remove."""
    if not path.parent.is_dir():
        return []
    name = rf"\.{re.escape(path.name)}\.\d+\.{end}|\.{re.escape(path.stem)}\.\d+\.{end}{re.escape(path.suffix)}"
    return [p for p in path.parent.iterdir() if re.fullmatch(name, p.name)]  # not a glob: a.best is not a leftover of a


def remove(path: Path, heir: Path | None = None) -> None:
    """Deletes a file or a folder of unclip's; what others laid into the folder moves to `heir`, or stays."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for found in sorted(path.iterdir()):
        if OURS.fullmatch(found.name) and not found.is_dir():
            found.unlink()
        elif heir is not None:
            os.replace(found, _free_name(heir, found.name))
    with suppress(OSError):  # not empty: what others laid there stays
        path.rmdir()


def _free_name(folder: Path, name: str) -> Path:
    """Where a file of this name can be laid without anything being lost."""
    names = (name, *(f"{Path(name).stem} {number}{Path(name).suffix}" for number in range(2, 1000)))
    return next(folder / n for n in names if not os.path.lexists(folder / n))


def sync(path: Path) -> None:
    """Brings a file, or a folder's list of names, to the disk: a rename must not survive a power cut without it."""
    if path.is_dir():
        with suppress(PermissionError):  # Windows opens no folders
            _sync(path, os.O_RDONLY)
        return
    _sync(path, os.O_RDWR)


def _sync(path: Path, how: int) -> None:
    file = os.open(path, how)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def room_told(path: Path, needed: int) -> Generator[None, None, None]:
    """Inside, a disk without room becomes a ValueError that names the file, the bytes needed and those free."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ValueError(_no_room(path, needed, error.strerror or "")) from error


def check_room(path: Path, needed: int) -> None:
    """Raises ValueError where the disk has not so many bytes for `path`, before a byte is written."""
    if (free := _free(path)) is not None and free < needed:
        raise ValueError(_no_room(path, needed, os.strerror(errno.ENOSPC)))


def check_written(path: Path) -> None:
    """Raises ValueError where `path` is there and is no JSON that unclip wrote: it would be lost."""
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a file")
    if not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "unclip" not in found:
        raise ValueError(f"{path}: is there already and is not what unclip wrote; name another file")


def _no_room(path: Path, needed: int, reason: str) -> str:
    free = _free(path)
    there = "" if free is None else f", {in_words(free)} free"
    return (
        f"{path}: cannot be written ({reason.lower()}): {in_words(needed)} needed{there}; make room there, then the "
        "same command again continues (what was saved before is whole)"
    )


def _free(path: Path) -> int | None:
    """Bytes; None where the file system does not tell."""
    place = next((p for p in (path, *path.absolute().parents) if p.exists()), None)
    found = None if place is None else shutil.disk_usage(place)
    return found.free if found is not None and found.total else None


def in_words(n: int) -> str:
    """A number of bytes for a person: 12.3 MB."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB" if n >= 1e5 else f"{n:,} bytes"

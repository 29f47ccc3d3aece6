"""A folder that unclip writes into belongs to one process at a time, and to unclip.

`.unclip` in the folder is both: the mark that unclip made the folder, and the file on which the writer holds a lock of
the operating system, which ends with the process, however that ends. It names the process and its host.
"""

import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from unclip.core.config.tables import is_table
from unclip.core.shown import printable

MARK = ".unclip"
EMPTY = frozenset({MARK, ".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep", "lost+found"})
"""Names that make no folder anybody's."""
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What a file system without locks answers."""
FAR = 1 << 30
"""The byte that is locked on Windows, where a locked one cannot be read."""


@dataclass
class _Held:
    """A lock of this process. depth: how many `hold`s of its thread are open."""

    file: BinaryIO
    thread: int
    depth: int = 1


_HELD: dict[Path, _Held] = {}


def check_own(folder: Path, known: bool = False) -> None:
    """Raises ValueError for a folder that is somebody else's: not empty, and not made by unclip.

    known: what lies there is known to be ours, although the mark is gone.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; name a folder")
    if known or not folder.is_dir() or (folder / MARK).is_file():
        return
    found = sorted(printable(p.name, 40) for p in folder.iterdir() if p.name not in EMPTY)
    if found:
        names = ", ".join(found[:3]) + (f" and {len(found) - 3:,} more" if len(found) > 3 else "")
        raise ValueError(f"{folder}: is not empty and was not made by unclip (it holds {names}); name a new folder")


@contextmanager
def hold(folder: Path, known: bool = False, told: Path | None = None) -> Generator[None, None, None]:
    """Inside, no other process writes into `folder`, which is made where it is not there; known: as `check_own`.

    told: what an error calls the folder, where that is a place on the way to what was asked for.

    The thread that holds it may hold it again. A folder that may only be read needs no lock: nobody can write there.
    Raises ValueError for a folder that is not ours, and where another process (or thread) is writing there.
    """
    root = Path(os.path.realpath(folder))
    if _is_ours(root, told or folder):
        held = _HELD[root]
        held.depth += 1
        try:
            yield
        finally:
            held.depth -= 1
        return
    check_own(folder, known)
    root.mkdir(parents=True, exist_ok=True)
    file = _locked(told or folder, root / MARK)
    if file is None:
        yield
        return
    _HELD[root] = _Held(file, threading.get_ident())
    try:
        yield
    finally:
        del _HELD[root]
        _release(root, file)


def check_held(folder: Path) -> None:
    """Raises ValueError where the folder that this process holds was deleted, or replaced, under its hands."""
    held = _HELD.get(Path(os.path.realpath(folder)))
    if held is not None and not _is(held.file, Path(os.path.realpath(folder)) / MARK):
        raise ValueError(f"{folder}: was deleted or replaced while it was written to; nothing more is written there")


def _is_ours(root: Path, told: Path) -> bool:
    """Whether this thread holds it. Raises ValueError where another thread of this process does."""
    held = _HELD.get(root)
    if held is not None and held.thread != threading.get_ident():
        raise ValueError(_busy(told, {"pid": os.getpid(), "host": socket.gethostname()}))
    return held is not None


def check_unused(folder: Path) -> None:
    """Raises ValueError where another process is writing into `folder`; takes no lock, and makes nothing."""
    root = Path(os.path.realpath(folder))
    if _is_ours(root, folder):
        return
    try:
        file = (root / MARK).open("r+b")
    except OSError:  # no mark, or one that may only be read: nobody can be writing there
        return
    with file:
        owner = _owner(file)
        if not _lock(file, owner):
            raise ValueError(_busy(folder, owner))


def _locked(folder: Path, mark: Path) -> BinaryIO | None:
    """The mark's file, locked; None where the folder may only be read."""
    while True:
        try:
            file = mark.open("r+b") if mark.exists() else mark.open("x+b")
        except FileExistsError:
            continue
        except FileNotFoundError:
            mark.parent.mkdir(parents=True, exist_ok=True)
            continue
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
                return None
            raise
        owner = _owner(file)
        if not _lock(file, owner):
            file.close()
            raise ValueError(_busy(folder, owner))
        if _is(file, mark):  # else it was removed in between, with its empty folder
            _write(file, {"pid": os.getpid(), "host": socket.gethostname()})
            return file
        file.close()


def _lock(file: BinaryIO, owner: dict[str, Any]) -> bool:
    """Whether the lock is ours now. Without locks of the file system, a process that is named and alive has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS and not _alive(owner)
    return True


def _alive(owner: dict[str, Any]) -> bool:
    """Whether this process runs; of another host nobody can tell, so it is taken to."""
    pid = owner.get("pid")
    if not isinstance(pid, int):
        return False
    if owner.get("host") != socket.gethostname() or sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _owner(file: BinaryIO) -> dict[str, Any]:
    try:
        file.seek(0)
        found = json.loads(file.read(4096))
    except (OSError, ValueError):
        return {}
    return found if is_table(found) else {}


def _write(file: BinaryIO, owner: dict[str, Any]) -> None:
    with suppress(OSError):  # a full disk: the lock is held all the same
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"made by": "unclip", **owner}).encode())
        file.flush()


def _is(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _release(root: Path, file: BinaryIO) -> None:
    """Frees the lock; a folder in which nothing was written is taken away again."""
    if _is(file, root / MARK):
        _write(file, {})
        with suppress(OSError):
            if os.listdir(root) == [MARK]:
                (root / MARK).unlink()
                root.rmdir()
    file.close()


def _busy(folder: Path, owner: dict[str, Any]) -> str:
    pid, host = owner.get("pid", "?"), printable(owner.get("host", "?"), 80)
    return (
        f"{folder}: process {printable(pid, 20)} on {host} is writing there; wait until it has ended, "
        f"or stop it (kill {printable(pid, 20)}), or name another folder"
    )

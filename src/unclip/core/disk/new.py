"""New folders and new files: what is written appears whole, or not at all, and in the place of nothing.

Two processes may ask for the same name at the same moment: the second is refused (a folder), or takes another name (a
file). The system decides who was first: no file and no folder that is not empty is replaced by a link or a rename.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from unclip.core.disk import lock
from unclip.core.disk.atomic import leftovers, room_told, sync
from unclip.core.shown import printable


@contextmanager
def new_folder(path: Path) -> Generator[Path, None, None]:
    """A place beside `path` to write into, which becomes `path` at the end and vanishes where something fails.

    Raises ValueError where `path` is there and not empty, and where another process is making it; then as well at the
    end, if one made it meanwhile.
    """
    root = Path(os.path.realpath(path))
    check_new(path)
    for left in leftovers(root, "part"):
        if (left / lock.MARK).is_file():
            with lock.hold(left, told=path):  # refuses a living process; what a killed one left is taken away
                pass
            shutil.rmtree(left, ignore_errors=True)
    part = root.with_name(f".{root.name}.{os.getpid()}.part")
    try:
        with lock.hold(part, told=path):
            yield part
        for file in (*part.rglob("*"), part):
            sync(file)
        _rename(part, root, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync(root.parent)


def check_new(path: Path) -> None:
    """Raises ValueError where `path` is there, and no empty folder."""
    if path.is_symlink() and not path.exists():
        raise ValueError(f"{printable(path)}: is a link to nothing; name a new folder")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{printable(path)}: is there already and not empty; name a new folder")


def _rename(part: Path, root: Path, told: Path) -> None:
    (part / lock.MARK).unlink()
    try:
        with suppress(FileNotFoundError):
            root.rmdir()  # Windows renames nothing onto an empty folder
        part.rename(root)
    except OSError as error:
        raise ValueError(f"{printable(told)}: was made by another process meanwhile; name a new folder") from error


def write_new(path: Path, data: bytes) -> bool:
    """Writes a new file, whole or not at all; False where one of that name is there, even since this moment."""
    if os.path.lexists(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with room_told(path, len(data)):
            part.write_bytes(data)
            sync(part)
        return _name(part, path)
    finally:
        part.unlink(missing_ok=True)
        sync(path.parent)


def _name(part: Path, path: Path) -> bool:
    """Gives a file its name, unless that is taken."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            path.open("xb").close()
        except FileExistsError:
            return False
        os.replace(part, path)
    return True

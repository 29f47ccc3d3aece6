"""Files that end: a pipe, a device or a socket would wait for ever, or never stop."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_PICTURE = 440_000_000
"""Bytes of an encoded image; more is not an image, or one that nobody has the memory for."""
MOST_PACKED = 100_000_000
"""Bytes of an encoded image in a tar, which is held in memory while it waits."""
MOST_CAPTION = 1_000_000
"""Bytes of the captions of one image."""


def open_regular(path: Path) -> BinaryIO:
    """An ordinary file, or a link to one, opened for reading; raises OSError for anything else, without waiting."""
    # O_NONBLOCK: a pipe that nobody writes to would make `open` itself wait.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(None, "is not a regular file", str(path))
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_regular(path: Path, maximum: int = MOST_PICTURE) -> bytes:
    """All of an ordinary file; raises OSError for anything else, and for more than `maximum` bytes."""
    with open_regular(path) as file:
        data = file.read(maximum + 1)
    if len(data) > maximum:
        raise OSError(None, f"has more than {maximum / 1e6:,.0f} MB", str(path))
    return data

"""What commands write: whether it can be written, asked before the work, and names that replace nothing."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LONGEST, HEAVIEST = 60, 90
"""Letters and bytes of a prompt that go into a file's name; two of them and what else a name holds are under 255."""
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jfif"}
"""How the names of images end."""


def check_folder(folder: Path, option: str = "--out") -> None:
    """Raises ValueError where no folder of this name can be written into, or an image's name was given."""
    if folder.is_dir():
        _check_writable(folder, folder, option)
        return
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"{option} {folder}: is there already and no folder; name a folder")
    if folder.suffix.lower() in PICTURES:
        beside = folder.with_suffix("") if folder.stem else folder.parent
        raise ValueError(f"{option} {folder}: is the name of an image, and a folder is asked for: {option} {beside}")
    _check_writable(folder, _above(folder, option), option)


def check_file(file: Path, option: str) -> None:
    """Raises ValueError where no file of this name can be written."""
    if file.is_dir():
        raise ValueError(f"{option} {file}: is a folder; name a file, as {option} {file / 'scores.json'}")
    if file.exists() and not (file.is_file() and os.access(file, os.W_OK)):
        raise ValueError(f"{option} {file}: cannot be written; name another file")
    _check_writable(file, _above(file, option), option)


def _above(path: Path, option: str) -> Path:
    """The nearest folder above that is there."""
    for parent in path.parents:
        if parent.is_dir():
            return parent
        if parent.exists() or parent.is_symlink():
            raise ValueError(f"{option} {path}: {parent} is a file, so that there can be no folder of this name")
    return Path()


def _check_writable(path: Path, folder: Path, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{option} {path}: {folder} cannot be written; name another place")


def slug(prompt: str) -> str:
    """A prompt as a file name: "A red heart!" -> "a-red-heart"."""
    plain = prompt.encode("utf-8", "replace").decode()  # words that were typed in another encoding
    letters = re.sub(r"[\W_]+", "-", plain.lower())[:LONGEST]
    return letters.encode()[:HEAVIEST].decode(errors="ignore").strip("-") or "image"


def write_picture(picture: "Image.Image", folder: Path, stem: str) -> Path:
    """Writes stem.png, or stem-2.png, ... : no file is ever replaced. Returns the path.

    An image that lies there already, the same in every byte with all that made it, is not written again.
    """
    from unclip.core.disk.new import write_new
    from unclip.images.files import encoded

    data, number = encoded(picture, ".png"), 1
    while True:
        path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        if write_new(path, data):
            return path
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return path
        number += 1

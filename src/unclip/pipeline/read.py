"""A user's picture, of any size and mode, as a tensor of the model's size."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from unclip.core.typing import Images
from unclip.data.decode import Pixels, Whole, decode_opened, decode_sized, decode_whole
from unclip.data.loader import to_tensor

Picture = str | Path | Image.Image
"""The path of a file, or a picture in memory."""
LEAST = 0.25
"""A side of this share of the model's is the least: below it there is hardly anything to see."""


@dataclass(frozen=True)
class Taken:
    """A picture as the model sees it. names: its path, or a word; side: the shorter one as given, px."""

    pictures: Images
    names: tuple[str]
    side: int

    @property
    def enlarged(self) -> bool:
        """Whether the model sees more pixels than there were."""
        return self.side < self.pictures.shape[-1]


def take(picture: Picture, size: int) -> Taken:
    """A picture as the model would have seen it in training: its centre square, [1, 3, size, size] in [-1, 1].

    Turned as EXIF says, transparency laid over white. Raises ValueError that names the file where there is none, it
    cannot be opened, it is damaged or no picture, or a side is below a quarter of `size`.
    """
    if isinstance(picture, Image.Image):
        name, sides = str(getattr(picture, "filename", "")) or "PICTURE", picture.size
        pixels = decode_opened(picture, size)
    else:
        name = str(picture)
        pixels, sides = _decoded(Path(picture), size)
    check_large_enough(name, sides, size)
    return Taken(to_tensor(pixels[None]), (name,), min(sides))


def read_whole(picture: Picture, word: str = "PICTURE") -> tuple[Whole, str]:
    """A picture at its own size with its transparency, and its name: its path, or `word` for one without.

    Raises ValueError as `take` does, but for its size.
    """
    name = str(getattr(picture, "filename", "") or word) if isinstance(picture, Image.Image) else str(picture)
    try:
        return decode_whole(picture if isinstance(picture, Image.Image) else _bytes(Path(picture))), name
    except ValueError as error:
        told = str(error)
        raise ValueError(told if told.startswith(name) else f"{name}: {told}") from error


def check_large_enough(name: str, sides: tuple[int, int], size: int) -> None:
    """Raises ValueError where the shorter of (width, height) is below a quarter of the model's `size`."""
    if min(sides) < LEAST * size:
        raise ValueError(
            f"{name}: is {sides[0]} x {sides[1]} pixels, too small for a model of {size} x {size}; take one whose "
            f"shorter side has at least {round(LEAST * size)}"
        )


def _decoded(path: Path, size: int) -> tuple[Pixels, tuple[int, int]]:
    data = _bytes(path)
    try:
        return decode_sized(data, size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a picture")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such picture") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error

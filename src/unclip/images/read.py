"""A user's image, of any size and mode, as a tensor of the model's size."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from unclip.core.shown import printable
from unclip.core.typing import Images
from unclip.data.images.colours import WHITE
from unclip.data.images.decode import Whole, decode_opened, decode_sized, decode_whole
from unclip.data.images.open import read_file
from unclip.data.images.square import spans
from unclip.data.layouts.kinds import CROP, Fit
from unclip.data.loader import to_tensor

Picture = str | Path | Image.Image
"""The path of a file, or an image in memory, which is never changed."""
LEAST = 0.25
"""A side of this share of the model's is the least: below it there is hardly anything to see."""


@dataclass(frozen=True)
class ImageInput:
    """An image as the model sees it. names: its path, or a word; side: the one that fills the square, as given, px (the
    shorter one; of a whole image the longer); note: what was guessed of its values."""

    images: Images
    names: tuple[str]
    side: int
    note: str = ""

    @property
    def enlarged(self) -> bool:
        """Whether the model sees more pixels than there were."""
        return self.side < self.images.shape[-1]


def read_image(picture: Picture, size: int, background: str = WHITE, fit: Fit = CROP) -> ImageInput:
    """Reads an image as the model sees it; its `pictures` is the tensor, [1, 3, size, size] in [-1, 1].

    That is the centre square (or all of it), turned as EXIF says, with transparency laid over the background.

    Args:
        picture: a path or a Pillow image.
        size: the model's side, px.
        background: the colour behind what is transparent.
        fit: what becomes of an image that is not square: crop, its middle; pad, all of it on the colour of its border.

    Raises:
        ValueError: names the file where there is none, it cannot be opened, it is damaged or no image, or the side
            that fills the square is below a quarter of `size`.
    """
    with _named(picture, "PICTURE") as name:
        if isinstance(picture, Image.Image):
            found = decode_opened(picture, size, background, fit)
        else:
            found = decode_sized(read_file(Path(picture)), size, background, fit)
        check_large_enough(name, found.size, size, fit)
    return ImageInput(to_tensor(found.pixels[None]), (name,), spans(found.size, fit), found.note)


def read_whole(picture: Picture, word: str = "PICTURE", background: str = WHITE) -> tuple[Whole, str]:
    """An image at its own size with its transparency, and its name: its path, or `word` for one without.

    Raises ValueError as `read_image` does, but for its size.
    """
    with _named(picture, word) as name:
        given = picture if isinstance(picture, Image.Image) else read_file(Path(picture))
        return decode_whole(given, background), name


@contextmanager
def _named(picture: Picture, word: str) -> Iterator[str]:
    """Its path, or `word` for one without; a ValueError inside begins with that."""
    name = str(getattr(picture, "filename", "") or word) if isinstance(picture, Image.Image) else str(picture)
    try:
        yield name
    except ValueError as error:
        told = str(error)
        raise ValueError(told if told.startswith(printable(name)) else f"{printable(name)}: {told}") from error


def check_large_enough(name: str, sides: tuple[int, int], size: int, fit: Fit = CROP) -> None:
    """Raises ValueError where the side that fills the square (the shorter of (width, height), of a whole image the
    longer) is below a quarter of the model's `size`."""
    if spans(sides, fit) < LEAST * size:
        raise ValueError(
            f"{name}: is {sides[0]} x {sides[1]} pixels, too small for a model of {size} x {size}; take one whose "
            f"{'shorter' if fit == CROP else 'longer'} side has at least {round(LEAST * size)}"
        )

"""An image with a hole: read from files, shrunk to what the model sees, and filled again at its own size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unclip.core.typing import Bool
from unclip.data.images.colours import WHITE, colour
from unclip.data.images.decode import Whole
from unclip.data.images.square import Look, border_colour, borders, inner, middle
from unclip.data.layouts.kinds import CROP, Fit
from unclip.images.read import Picture, check_large_enough, read_whole

Pixels = UInt8[np.ndarray, "_ _ 3"]
Hole = Bool[np.ndarray, "_ _"]
"""Where an image is to be painted. Any sizes: these functions change them."""
HALF = 128


@dataclass(frozen=True)
class Masked:
    """An image at its own size and its hole. name: its path; of_mask: the mask's ("": its own transparency); notes:
    what to know before it is painted."""

    whole: Whole
    hole: Hole
    name: str
    of_mask: str = ""
    notes: tuple[str, ...] = ()

    @property
    def rgb(self) -> Pixels:
        """As the model sees it, over a background."""
        return self.whole.rgb

    @property
    def square(self) -> tuple[slice, slice]:
        """The largest square that holds all of the hole, as near to the middle as that allows.

        Raises ValueError where none does.
        """
        side = min(self.hole.shape)
        rows, columns = (np.asarray(self.hole.any(axis)) for axis in (1, 0))
        return _span(rows, side, self.name), _span(columns, side, self.name)


@dataclass(frozen=True)
class SquareCrop:
    """The square of an image that holds its hole, at each size at which a run's models see it.

    size: of the decoder's images. Raises ValueError as `Masked.square` does.
    """

    masked: Masked
    size: int

    @property
    def side(self) -> int:
        """Pixels of the image along what are `size` for the decoder."""
        return min(self.masked.hole.shape)

    def at(self, times: int) -> tuple[Pixels, Hole]:
        """The square, `times` larger than the decoder sees it, and its hole there."""
        square, side = self.masked.square, times * self.size
        return shrunk(self.masked.rgb[square], side, side), shrunk_hole(self.masked.hole[square], side, side)

    def back(self, painted: Pixels) -> Pixels:
        """The image at its own size; one smaller than the decoder's stays as it was painted."""
        if self.side < self.size:
            return painted
        masked, full = self.masked, self.masked.rgb.copy()
        full[masked.square] = pasted(masked.rgb[masked.square], masked.hole[masked.square], painted)
        return full


@dataclass(frozen=True)
class WholeImage:
    """All of an image in a square, on its background, at each size at which the models of a run with `fit` "pad" see
    it. size: of the decoder's images; background: behind what is transparent."""

    masked: Masked
    size: int
    background: str

    @property
    def side(self) -> int:
        """Pixels of the image along what are `size` for the decoder."""
        return max(self.masked.hole.shape)

    def at(self, times: int) -> tuple[Pixels, Hole]:
        """The square, `times` larger than the decoder sees it, and its hole there."""
        rows, columns = self._place(times)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        pixels = np.empty((times * self.size, times * self.size, 3), dtype=np.uint8)
        pixels[:], hole = self._around, np.zeros(pixels.shape[:2], dtype=bool)
        pixels[rows, columns] = shrunk(self.masked.rgb, width, height)
        hole[rows, columns] = shrunk_hole(self.masked.hole, width, height)
        return pixels, hole

    def back(self, painted: Pixels) -> Pixels:
        """The image at its own size; one smaller than the decoder's stays as it was painted."""
        part = painted[self._place(len(painted) // self.size)]
        return part if self.side < self.size else pasted(self.masked.rgb, self.masked.hole, part)

    def _place(self, times: int) -> tuple[slice, slice]:
        """Where the image lies in the square."""
        height, width = self.masked.hole.shape
        across, down = inner((width, height), self.size)
        rows, columns = middle((down, across), self.size)
        return slice(times * rows.start, times * rows.stop), slice(times * columns.start, times * columns.stop)

    @property
    def _around(self) -> tuple[int, int, int]:
        """As where an image is prepared, of what is to be kept of its border."""
        parts = [self.masked.rgb, self.masked.whole.alpha, self.masked.hole]
        rgb, clear, hole = (borders(np.atleast_3d(part)[None])[0] for part in parts)
        kept = ~hole[:, 0]
        opaque = kept.any() and clear[kept].min() == 255
        return border_colour(rgb[kept]) if opaque else colour(self.background)


def scene_of(masked: Masked, size: int, look: Look) -> SquareCrop | WholeImage:
    """An image with a hole as the models of a run see it."""
    return SquareCrop(masked, size) if look["fit"] == CROP else WholeImage(masked, size, look["background"])


def read_masked(picture: Picture, mask: Picture | None, size: int, background: str = WHITE, fit: Fit = CROP) -> Masked:
    """An image and where it is to be painted: white in `mask`, or, without one, where the image is transparent.

    Of a mask that has transparency itself only that counts: transparent is to be painted. Raises ValueError that names
    the file: no image, too small for a model of `size`, a mask of another size, no mask and no transparency, a mask
    that leaves nothing to paint, or nothing to go on from.
    """
    whole, name = read_whole(picture, background=background)
    notes = tuple(f"{name}: {note}" for note in whole.notes)
    height, width = whole.alpha.shape
    check_large_enough(name, (width, height), size, fit)
    if mask is None:
        if whole.alpha.min() >= HALF:
            raise ValueError(f"{name}: has no transparent part and there is no mask; give --mask, an image of "
                             f"{width} x {height} that is white where it is to be painted")  # fmt: skip
        return _checked(Masked(whole, whole.alpha < HALF, name, notes=notes))
    drawn, of_mask = read_whole(mask, "MASK")
    if drawn.alpha.shape != whole.alpha.shape:
        has = f"{drawn.alpha.shape[1]} x {drawn.alpha.shape[0]}"
        raise ValueError(f"{of_mask}: is {has} pixels and {name} is {width} x {height}; a mask has its "
                         f"image's size: make it {width} x {height}")  # fmt: skip
    clear = drawn.alpha < HALF
    hole = clear if clear.any() else drawn.rgb.mean(2) >= HALF
    return _checked(Masked(whole, hole, name, of_mask, (*notes, *_doubt(of_mask, drawn))))


def _doubt(name: str, drawn: Whole) -> Iterator[str]:
    """What is told of a mask that can be read in two ways: white strokes on transparency."""
    clear = drawn.alpha < HALF
    white = ~clear & (drawn.own.mean(2) >= HALF)
    if clear.any() and white.any():
        yield (
            f"{name}: is transparent in part, so its transparent part is painted, {clear.mean():.0%} of the image, "
            f"and not its white part, {white.mean():.0%}; to paint that, save the mask without transparency, white on "
            "black"
        )


def _checked(masked: Masked) -> Masked:
    where = masked.of_mask or masked.name
    if not masked.hole.any():
        raise ValueError(f"{where}: nothing is to be painted; make it white there (or transparent)")
    if masked.hole.all():
        raise ValueError(f"{where}: all is to be painted, so nothing is kept; `unclip generate` paints whole images")
    return masked


def _span(rows: Bool[np.ndarray, " n"], side: int, name: str) -> slice:
    first, last = int(rows.argmax()), len(rows) - int(rows[::-1].argmax())
    if last - first > side:
        raise ValueError(f"{name}: the mask spans {last - first} pixels, but the model sees a square of {side} x "
                         f"{side}; crop the image, or paint in two steps")  # fmt: skip
    start = min(max((len(rows) - side) // 2, last - side), first)
    return slice(start, start + side)


def shrunk(rgb: Pixels, width: int, height: int) -> Pixels:
    """An image at another size; at its own: as it is."""
    if rgb.shape[:2] == (height, width):
        return rgb
    down = rgb.shape[0] > height
    how = Image.Resampling.LANCZOS if down else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(rgb).resize((width, height), how), dtype=np.uint8)


def shrunk_hole(hole: Hole, width: int, height: int) -> Hole:
    """A hole at another size: every pixel that it touches belongs to it."""
    if hole.shape == (height, width):
        return hole
    large = Image.fromarray(hole.astype(np.float32))
    return np.asarray(large.resize((width, height), Image.Resampling.BOX)) > 1e-6


def pasted(rgb: Pixels, hole: Hole, painted: Pixels) -> Pixels:
    """The image with its hole filled from `painted`, which is enlarged where it is smaller; the rest is untouched."""
    return np.where(hole[..., None], shrunk(painted, rgb.shape[1], rgb.shape[0]), rgb)

"""Pictures of which a part is painted anew, and pictures that go on beyond their borders.

The model sees squares of its own size. A picture of another size is shrunk (or enlarged) for it, and what it painted is
enlarged back into the picture, so that every pixel outside the hole stays what it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from unclip.core.typing import Images
from unclip.data.loader import to_pixels, to_tensor
from unclip.data.masks import Known
from unclip.pipeline.images import KEY, grid
from unclip.pipeline.masked import Hole, Masked, Pixels, pasted, read_masked, shrunk, shrunk_hole
from unclip.pipeline.painter import Asked, Painter, Request
from unclip.pipeline.read import Picture, check_large_enough, read_whole
from unclip.pipeline.text_to_image import TextToImage
from unclip.pipeline.windows import windows

MOST = 4.0
"""A picture grows by at most so many of its sides."""
GRAY = 200
"""Of what is unknown, in a sheet."""


@dataclass(frozen=True)
class Painted:
    """pictures: one a seed, each with what made it inside; seen: the same as the model saw them, for a sheet."""

    pictures: list[Image.Image]
    seen: list[Image.Image]
    original: Image.Image
    mask: Image.Image
    notes: list[str]

    def sheet(self) -> Image.Image:
        """Original (gray where it is to be painted), mask, results, in one row."""
        zoom = max(1, 128 // self.original.height)
        sheet = grid([[self.original, self.mask, *self.seen]], zoom=zoom)
        sheet.info[KEY] = {name: value for name, value in self.pictures[0].info[KEY].items() if name != "shown"}
        return sheet


def edit(model: TextToImage, picture: Picture, mask: Picture | None, request: Request) -> Painted:
    """Paints where `mask` is white, or, without one, where the picture is transparent; the rest is kept exactly.

    Raises ValueError for a picture, a mask or settings that cannot work (`read_masked`, `Settings`).
    """
    size = model.size
    masked = read_masked(picture, mask, size)
    square = masked.square
    small = shrunk(masked.rgb[square], size, size)
    hole = shrunk_hole(masked.hole[square], size, size)
    if hole.all():
        raise ValueError(f"{masked.name}: at the model's {size} x {size} pixels nothing is kept; make the mask smaller")
    painter = Painter.of(model, request, to_tensor(small[None]))
    found = to_pixels(painter.fill(_repeated(small, request.n), _mask(hole), "edit"))
    seen = [pasted(small, hole, p) for p in found]
    asked = Asked("edit", masked.name, {"mask": masked.of_mask} if masked.of_mask else {})
    return _answer(
        painter,
        [_whole(masked, square, p, size) for p in seen],
        (seen, small, hole),
        [_scaled(masked.rgb, masked.name, size), f"paints {masked.hole.mean():.0%} of the picture"],
        asked,
    )


def _whole(masked: Masked, square: tuple[slice, slice], painted: Pixels, size: int) -> Pixels:
    """The picture at its own size; one smaller than the model's stays as the model saw it."""
    if min(masked.hole.shape) < size:
        return painted
    full = masked.rgb.copy()
    full[square] = pasted(masked.rgb[square], masked.hole[square], painted)
    return full


@dataclass(frozen=True)
class Sides:
    """By how much a picture grows, in shares of its width (left, right) and height (up, down).

    Raises ValueError where nothing grows, or by less than nothing or more than four times.
    """

    left: float = 0.0
    right: float = 0.0
    up: float = 0.0
    down: float = 0.0

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= MOST:
                raise ValueError(f"{name} = {share}: a share of the picture's side between 0 and {MOST:g}, as 0.5")
        if not any(vars(self).values()):
            raise ValueError("nothing to paint: say by how much the picture grows, as --by 0.5 or --right 0.5")

    def margins(self, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """((above, below), (left, right)) in pixels."""
        return (
            (round(self.up * height), round(self.down * height)),
            (round(self.left * width), round(self.right * width)),
        )


def extend(model: TextToImage, picture: Picture, sides: Sides, request: Request) -> Painted:
    """A larger picture that holds the given one unchanged; the model paints windows of its size, half known at least
    where there is room. Raises ValueError for a picture, sides or settings that cannot work.
    """
    whole, name = read_whole(picture)
    height, width = whole.alpha.shape
    check_large_enough(name, (width, height), model.size)
    scale = model.size / min(width, height)
    small = shrunk(whole.rgb, round(width * scale), round(height * scale))
    canvas, hole = _framed(small, sides)
    if not hole.any():
        raise ValueError(f"{sides}: less than a pixel at the model's size; let the picture grow more")
    square = tuple(slice((n - model.size) // 2, (n - model.size) // 2 + model.size) for n in small.shape[:2])
    painter = Painter.of(model, request, to_tensor(small[square][None]))
    found = _outward(painter, canvas, hole)
    seen = [pasted(canvas, hole, p) for p in found]
    full = seen if scale >= 1 else [pasted(*_framed(whole.rgb, sides), p) for p in seen]
    asked = Asked("extend", name, {side: share for side, share in vars(sides).items() if share})
    return _answer(painter, full, (seen, canvas, hole), [_scaled(whole.rgb, name, model.size)], asked)


def _framed(rgb: Pixels, sides: Sides) -> tuple[Pixels, Hole]:
    """A picture on its larger canvas, and where that is empty."""
    margins = sides.margins(rgb.shape[1], rgb.shape[0])
    canvas = np.pad(rgb, (*margins, (0, 0)), constant_values=255)
    return canvas, np.pad(np.zeros(rgb.shape[:2], dtype=bool), margins, constant_values=True)


def _outward(painter: Painter, canvas: Pixels, hole: Hole) -> list[Pixels]:
    """The canvas of each seed, painted window by window."""
    known, x = ~hole, _repeated(canvas, painter.request.n).clone()
    for number, place in enumerate(windows(known, painter.model.size)):
        at = (slice(None), slice(None), *place)
        x[at] = painter.fill(x[at], _mask(~known[place]), f"window{number}")
        known[place] = True
    return list(to_pixels(x))


def _repeated(pixels: Pixels, n: int) -> Images:
    return to_tensor(pixels[None]).expand(n, -1, -1, -1)


def _mask(hole: Hole) -> Known:
    """1 where the picture is known, [1, 1, h, w]."""
    return torch.from_numpy(~hole).float()[None, None]


def _scaled(rgb: Pixels, name: str, size: int) -> str:
    height, width = rgb.shape[:2]
    if min(width, height) == size:
        return ""
    what = "enlarged first" if min(width, height) < size else "shrunk for it, and what it paints is enlarged"
    return f"{name}: is {width} x {height} pixels and the model paints {size} x {size}: {what}"


def _answer(
    painter: Painter,
    full: Sequence[Pixels],
    seen: tuple[Sequence[Pixels], Pixels, Hole],
    notes: Sequence[str],
    asked: Asked,
) -> Painted:
    small, original, hole = seen
    pictures = [Image.fromarray(p) for p in full]
    for picture, seed in zip(pictures, painter.request.seeds, strict=True):
        picture.info[KEY] = painter.about(seed, asked)
    before = np.where(hole[..., None], np.uint8(GRAY), original)
    return Painted(
        pictures,
        [Image.fromarray(p) for p in small],
        Image.fromarray(before),
        Image.fromarray(hole.astype(np.uint8) * 255).convert("RGB"),
        [note for note in [*painter.notes, *notes] if note],
    )

"""An image of any shape as a square: its middle, or all of it on its own background."""

import math
from typing import TypedDict

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from unclip.data.images.colours import Colours, alpha, colour, strips
from unclip.data.layouts.kinds import CROP, FITS, Fit

Box = tuple[float, float, float, float]

_LARGE = 2**22
"""A decoded image of more pixels is brought to colours and reduced strip by strip: no second one of its size."""


class Look(TypedDict):
    """How the images of a run are seen: on which background where they are transparent, and which part of them."""

    background: str
    fit: Fit


def as_look(background: object, fit: object, where: str) -> Look:
    """What was written down of it. Raises ValueError, which begins with `where`, for a fit that is none."""
    try:
        return {"background": str(background), "fit": check_known(fit)}
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def check_known(fit: object) -> Fit:
    """The same word. Raises ValueError that names both for what is neither."""
    for known in FITS:
        if fit == known:
            return known
    raise ValueError(f"fit = {fit!r}: write crop (the middle of an image) or pad (all of it on its background)")


def spans(size: tuple[int, int], fit: Fit) -> int:
    """The side of an image of (width, height), px, that becomes the side of its square."""
    return min(size) if fit == CROP else max(size)


def inner(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(width, height) of a whole image in a square of `side`: the longer one fills it, the other is 1 px at least."""
    width, height = (max(1, round(n * side / max(size))) for n in size)
    return width, height


def squared(
    image: Image.Image, side: int, colours: Colours, background: str, fit: Fit, turn: Image.Transpose | None
) -> UInt8[np.ndarray, "side side 3"]:
    """A decoded image, turned, as a square; what is transparent shows the background.

    What `pad` puts around an image has the colour of its border; the background's where the border is transparent.
    """
    if fit == CROP:
        width, height = image.size
        least = min(width, height)
        left, top = (width - least) / 2, (height - least) / 2  # halves are fine: the resampling is exact
        box, wanted = (left, top, left + least, top + least), (side, side)
    else:
        box, wanted = (0.0, 0.0, float(image.width), float(image.height)), inner(image.size, side)
    small = _scaled(image, box, wanted, colours, background)
    pixels = np.asarray(small if turn is None else small.transpose(turn), dtype=np.uint8)
    if fit == CROP:
        return pixels
    return padded(pixels, side, _around(image, colours, background))


def padded(
    pixels: UInt8[np.ndarray, "h w 3"], side: int, around: tuple[int, int, int]
) -> UInt8[np.ndarray, "side side 3"]:
    """An image in the middle of a square of one colour."""
    canvas = np.empty((side, side, 3), dtype=np.uint8)
    canvas[:] = around
    canvas[middle(pixels.shape[:2], side)] = pixels
    return canvas


def middle(shape: tuple[int, ...], side: int) -> tuple[slice, slice]:
    """Where an image of (height, width) lies in a square of `side` that holds all of it."""
    top, left = ((side - n) // 2 for n in shape)
    return slice(top, top + shape[0]), slice(left, left + shape[1])


def borders(images: Shaped[np.ndarray, "n h w c"]) -> Shaped[np.ndarray, "n pixels c"]:
    """The outermost pixels of each image, those of its corners twice."""
    sides = images[:, [0, -1]], images[:, :, [0, -1]]
    return np.concatenate([part.reshape(len(images), -1, images.shape[-1]) for part in sides], 1)


def border_colour(pixels: UInt8[np.ndarray, "n 3"]) -> tuple[int, int, int]:
    """The one that is nearest to the median of each channel: that of a plain background, whatever touches the border
    here and there; of any other image a colour that it has."""
    values = pixels.astype(np.float32)
    red, green, blue = pixels[np.abs(values - np.median(values, axis=0)).sum(1).argmin()].tolist()
    return red, green, blue


def _around(image: Image.Image, colours: Colours, background: str) -> tuple[int, int, int]:
    """What lies around an image: the background where something of its border is transparent, else the border's colour,
    of its own pixels, so that it is the same at every size."""
    width, height = image.size
    boxes = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    edges = [image.crop(box) for box in boxes]
    clear = (alpha(edge) for edge in edges)
    if any(edge is not None and np.asarray(edge).min() < 255 for edge in clear):
        return colour(background)
    return border_colour(np.concatenate([np.asarray(colours.rgb(edge)).reshape(-1, 3) for edge in edges]))


def _scaled(image: Image.Image, box: Box, wanted: tuple[int, int], colours: Colours, background: str) -> Image.Image:
    """A box of the image at another size: Lanczos down (after a box reduction), bicubic up."""
    left, top, right, bottom = box
    down, factor = right - left > wanted[0], int(max(right - left, bottom - top) / max(wanted) / 3)
    how = Image.Resampling.LANCZOS if down or bottom - top > wanted[1] else Image.Resampling.BICUBIC
    if image.width * image.height <= _LARGE or factor < 2:
        return colours.over(image, background).resize(wanted, how, box, reducing_gap=3.0)
    outer = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
    parts = [colours.over(part, background).reduce(factor) for part in strips(image, factor, outer)]
    small = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)))
    at = 0
    for part in parts:
        small.paste(part, (0, at))
        at += part.height
    x, y = (left - outer[0]) / factor, (top - outer[1]) / factor
    within = (x, y, x + (right - left) / factor, y + (bottom - top) / factor)
    return small.resize(wanted, how, within, reducing_gap=3.0)

"""The one place that opens images: known formats only, limits before a pixel is decoded, every error with its reason.

A test of the house holds that nothing else calls `Image.open`: without `formats`, Pillow starts Ghostscript for an EPS
that is named `a.png`.
"""

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, TiffImagePlugin, WebPImagePlugin

from unclip.core.shown import printable
from unclip.data.files.regular import read_regular
from unclip.data.images.png import lightened

# A closed list: Pillow knows formats that call other programs (EPS). JPEG includes what some phones write (MPO).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_LOADED = (TiffImagePlugin, WebPImagePlugin)  # Pillow does not load these two by itself
MAX_PIXELS = 178_956_970  # where Pillow, too, speaks of a decompression bomb
MOST_MEMORY = 440_000_000
"""Bytes that the file and its decoded pixels may take together; 100 million pixels in colour."""
_ALONE = 50_000_000
"""An image that takes more than so many bytes is not decoded beside another one."""
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Pillow's mode -> bytes of a pixel in memory; 4 for every other."""
_COPIES = {"WEBP": 4, "GIF": 2, "TIFF": 2}
"""Format -> how often a decoder holds the image at once; 1 for every other."""
_TURN = threading.RLock()

_STRANGERS = (  # (how the file begins, what to tell its owner)
    (rb"version https://git-lfs", "a Git LFS pointer, not the image; run git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml|svg)", "a web page or an SVG, not an image; download it again, or convert it to PNG"),
    (rb"....ftyp(heic|heix|mif1|avif)", "a HEIC or AVIF image; convert it to JPEG or PNG"),
)


@dataclass(frozen=True)
class OpenedImage:
    """An image whose header was read. size: (width, height) of the file, px, which `image`'s draft may be below;
    profile: its colour profile; bits: how many the file says are significant."""

    image: Image.Image
    size: tuple[int, int]
    profile: bytes | None = None
    bits: int | None = None


@contextmanager
def open_image(data: bytes, enough: int | None = None, maximum: int = MAX_PIXELS) -> Iterator[OpenedImage]:
    """An encoded image, not decoded yet; what goes wrong with it in the `with` becomes a ValueError with its reason.

    enough: px; a JPEG is decoded at 1/2, 1/4 or 1/8 where its sides stay above that. maximum: pixels that are allowed.
    """
    try:
        light = lightened(data)
        with Image.open(io.BytesIO(light.data), formats=FORMATS) as image:
            size = image.size
            check_size(*size, maximum)
            progressive = bool(image.info.get("progressive"))
            if enough is not None:
                image.draft(None, (enough, enough))
            need = len(data) + _memory(image, size, progressive)
            _check_memory(size, need)
            found = OpenedImage(image, size, light.profile or image.info.get("icc_profile"), light.bits)
            if need <= _ALONE:
                yield found
                return
            with _TURN:
                yield found
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise ValueError(reason(data, error)) from error


def read_file(path: Path) -> bytes:
    """The bytes of an image's file. Raises ValueError that names it: none there, a folder, no regular file (a pipe
    would never end), too large, or not to be read."""
    if path.is_dir():
        raise ValueError(f"{printable(path)}: is a folder; name an image")
    try:
        return read_regular(path, MOST_MEMORY)
    except FileNotFoundError as error:
        raise ValueError(f"{printable(path)}: no such image") from error
    except OSError as error:
        if error.errno is None:  # of `read_regular`
            raise ValueError(f"{printable(path)}: {error.strerror}; name an image") from error
        raise ValueError(f"{printable(path)}: cannot be read ({error.strerror}); check its permissions") from error


def check_size(width: int, height: int, maximum: int = MAX_PIXELS) -> None:
    """Raises ValueError for an image without pixels, or with more than `maximum`."""
    if width < 1 or height < 1:
        raise ValueError(f"is {width} x {height} pixels: it is empty")
    if width * height > min(maximum, MAX_PIXELS):
        million = min(maximum, MAX_PIXELS) / 1e6
        raise UnreadableImage(
            f"has {width} x {height} pixels, more than {million:.0f} million pixels; make it smaller first"
        )


class UnreadableImage(ValueError):
    """Whole, but more than is read; its text says all."""


def _memory(image: Image.Image, size: tuple[int, int], progressive: bool) -> int:
    """Bytes that decoding takes; a progressive JPEG holds the coefficients of all its pixels, whatever the draft."""
    pixels = image.width * image.height
    coefficients = 6 * size[0] * size[1] if progressive else 0
    return pixels * _BYTES.get(image.mode, 4) * _COPIES.get(image.format or "", 1) + coefficients


def _check_memory(size: tuple[int, int], need: int) -> None:
    if need > MOST_MEMORY:
        raise UnreadableImage(
            f"has {size[0]} x {size[1]} pixels, which take {need / 1e6:,.0f} MB to decode, more than "
            f"{MOST_MEMORY / 1e6:.0f} MB; make it smaller first"
        )


def reason(data: bytes, error: Exception) -> str:
    """What to tell the owner of an image that cannot be decoded."""
    if isinstance(error, UnreadableImage):
        return str(error)
    if not data:
        return "the file is empty"
    for beginning, meaning in _STRANGERS:
        if re.match(beginning, data[:64], re.IGNORECASE | re.DOTALL):
            return meaning
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"has more than {MAX_PIXELS / 1e6:.0f} million pixels; make it smaller first"
    if isinstance(error, Image.UnidentifiedImageError):
        return "no image in a supported format (PNG, JPEG, WebP, BMP, GIF, TIFF), or damaged at its start"
    if isinstance(error, MemoryError):
        return "does not fit into memory; make it smaller first"
    return f"is damaged ({printable(error, 200) or type(error).__name__})"

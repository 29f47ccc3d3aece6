"""Encoded image bytes -> a square RGB picture, as a person would expect it to look."""

import io
import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, TiffImagePlugin, WebPImagePlugin

# A closed list: Pillow knows formats that call other programs (EPS). JPEG includes what some phones write (MPO).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_LOADED = (TiffImagePlugin, WebPImagePlugin)  # Pillow does not load these two by itself
MAX_PIXELS = 178_956_970  # where Pillow, too, speaks of a decompression bomb

_ORIENTATION = 0x0112  # EXIF tag; its values 2..8 in Pillow's words
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STRANGERS = (  # (how the file begins, what to tell its owner)
    (rb"version https://git-lfs", "a Git LFS pointer, not the picture; run git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml|svg)", "a web page or an SVG, not a picture; download it again, or convert it to PNG"),
    (rb"....ftyp(heic|heix|mif1|avif)", "a HEIC or AVIF picture; convert it to JPEG or PNG"),
)

Pixels = UInt8[np.ndarray, "size size 3"]


def decode(data: bytes, size: int) -> Pixels:
    """Decode, turn as EXIF says, lay over white, crop the centre square and scale: uint8 [size, size, 3] RGB.

    Transparency is laid over white, gray is repeated, CMYK is converted, 16-bit gray is divided by 257, an
    animation gives its first frame. Raises ValueError with the reason when the picture is damaged, truncated,
    in no supported format, or has more than MAX_PIXELS pixels.
    """
    return decode_sized(data, size)[0]


def decode_sized(data: bytes, size: int) -> tuple[Pixels, tuple[int, int]]:
    """`decode`, and the (width, height) in pixels that the file had; raises as `decode` does."""
    if size < 1:
        raise ValueError(f"size is {size}; it must be at least 1 pixel")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            original = image.size  # `draft` may change it
            return _pixels(image, size), original
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise ValueError(_reason(data, error)) from error


def decode_opened(image: Image.Image, size: int) -> Pixels:
    """`decode` for a picture that is in memory already; raises ValueError where it is empty, huge or damaged."""
    try:
        return _pixels(image, size)
    except Exception as error:  # as above
        raise ValueError(_reason(b"a picture", error)) from error


@dataclass(frozen=True)
class Whole:
    """A picture at its own size; rgb: over white; alpha: 255 where it is opaque."""

    rgb: UInt8[np.ndarray, "h w 3"]
    alpha: UInt8[np.ndarray, "h w"]


def decode_whole(picture: bytes | Image.Image) -> Whole:
    """All of a picture, encoded or in memory, neither cropped nor scaled, and where it is transparent.

    Otherwise as `decode` does it; raises as `decode` does.
    """
    data = picture if isinstance(picture, bytes) else b"a picture"
    try:
        if isinstance(picture, Image.Image):
            return _whole(picture)
        with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            return _whole(image)
    except Exception as error:  # as above
        raise ValueError(_reason(data, error)) from error


def _whole(image: Image.Image) -> Whole:
    _check_size(*image.size)
    image.load()
    turn = _TURNS.get(_orientation(image))
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        alpha = image.convert("RGBA").getchannel("A")
    else:
        alpha = Image.new("L", image.size, 255)
    parts = [part if turn is None else part.transpose(turn) for part in (_rgb(image), alpha)]
    return Whole(*(np.asarray(part, dtype=np.uint8) for part in parts))


def _pixels(image: Image.Image, size: int) -> Pixels:
    _check_size(*image.size)
    image.draft(None, (2 * size, 2 * size))  # a JPEG decodes at 1/2, 1/4 or 1/8 where that is still enough
    image.load()
    turn = _TURNS.get(_orientation(image))
    small = _square(_rgb(image), size)
    return np.asarray(small if turn is None else small.transpose(turn), dtype=np.uint8)


def format_of(data: bytes) -> str:
    """The usual file ending of encoded image bytes: "png", "jpg", …; "jpg" also where they are damaged."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            name = (image.format or "JPEG").lower()
    except Exception:  # as above; the damage is reported when the picture is decoded
        name = "jpeg"
    return {"jpeg": "jpg", "mpo": "jpg"}.get(name, name)


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ValueError(f"is {width} x {height} pixels: it is empty")
    if width * height > MAX_PIXELS:
        raise Image.DecompressionBombError


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8 of a loaded picture (a TIFF is turned by loading it, and then says 1)."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block is no reason to lose the picture
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode -> RGB over white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bit(np.asarray(image), image.mode))
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bit(values: np.ndarray, mode: str) -> UInt8[np.ndarray, "h w"]:
    """16-bit gray / 257 (65535 -> 255); floats count as [0, 1] unless one of them is larger than 1."""
    values = np.nan_to_num(values.astype(np.float32))
    scale = 1 / 257 if mode.startswith("I") else 255 if values.max() <= 1 else 1
    return np.clip(np.round(values * scale), 0, 255).astype(np.uint8)


def _square(image: Image.Image, size: int) -> Image.Image:
    """The centre square, scaled to size x size: Lanczos down (after a box reduction), bicubic up."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2  # halves are fine: the resampling is exact
    how = Image.Resampling.LANCZOS if side > size else Image.Resampling.BICUBIC
    return image.resize((size, size), how, box=(left, top, left + side, top + side), reducing_gap=3.0)


def _reason(data: bytes, error: Exception) -> str:
    """What to tell the owner of a picture that cannot be decoded."""
    if not data:
        return "the file is empty"
    for beginning, meaning in _STRANGERS:
        if re.match(beginning, data[:64], re.IGNORECASE | re.DOTALL):
            return meaning
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"has more than {math.floor(MAX_PIXELS / 1e6)} million pixels; make it smaller first"
    if isinstance(error, Image.UnidentifiedImageError):
        return "no picture in a supported format (PNG, JPEG, WebP, BMP, GIF, TIFF), or damaged at its start"
    if isinstance(error, MemoryError):
        return "does not fit into memory; make it smaller first"
    return f"is damaged ({error or type(error).__name__})"

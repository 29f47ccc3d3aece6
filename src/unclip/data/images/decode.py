"""Encoded image bytes -> a square RGB image, as a person would expect it to look."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unclip.data.images.colours import WHITE, Colours, alpha, strips
from unclip.data.images.open import OpenedImage, check_size, open_image, reason
from unclip.data.images.square import check_known, squared
from unclip.data.item import Picture
from unclip.data.layouts.kinds import CROP, Fit

MOST_WHOLE = 40_000_000
"""Pixels of an image that is kept at its own size: in the end as arrays beside the decoded one."""

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

Pixels = UInt8[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Decoded:
    """pixels: RGB [size, size, 3]; size: (width, height) that the file had; clear: whether a background shows;
    note: what was guessed of its values."""

    pixels: Pixels
    size: tuple[int, int]
    clear: bool = False
    note: str = ""


def decode(data: bytes, size: int, background: str = WHITE, fit: Fit = CROP) -> Pixels:
    """Decode, turn as EXIF says, lay over the background and scale to a square: uint8 [size, size, 3] RGB.

    The square is the middle of the image; with `fit` "pad" all of it, on the colour of its border.
    Gray is repeated, colours are converted to sRGB by the file's profile, gray of more than 8 bits is scaled by its
    range, an animation gives its first frame. Raises ValueError with the reason when the image is damaged,
    truncated, in no supported format, or takes more memory than `open_image` allows.
    """
    return decode_sized(data, size, background, fit).pixels


def decode_sized(data: Picture, size: int, background: str = WHITE, fit: Fit = CROP) -> Decoded:
    """`decode`, also of pixels that are there already, and what the image was; raises as `decode` does."""
    if size < 1:
        raise ValueError(f"size is {size}; it must be at least 1 pixel")
    check_known(fit)
    if not isinstance(data, bytes):
        return _of_pixels(data, size, background, fit)
    with open_image(data, enough=2 * size) as found:
        return _decoded(found, size, background, fit)


def decode_opened(image: Image.Image, size: int, background: str = WHITE, fit: Fit = CROP) -> Decoded:
    """`decode` for an image that is in memory already, which is not changed; raises ValueError where it is empty,
    huge or damaged."""
    check_known(fit)
    try:
        return _decoded(_given(image), size, background, fit)
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise ValueError(reason(b"an image", error)) from error


def _of_pixels(pixels: np.ndarray, size: int, background: str, fit: Fit) -> Decoded:
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ValueError(
            f"its pixels are {pixels.dtype} {list(pixels.shape)}; they must be uint8 [height, width], "
            "[height, width, 3] or [height, width, 4]"
        )
    if pixels.shape == (size, size, 3):
        return Decoded(pixels, (size, size))
    return decode_opened(Image.fromarray(pixels), size, background, fit)


@dataclass(frozen=True)
class Whole:
    """An image at its own size; rgb: over the background; own: the same without it, as the file has it; alpha: 255
    where it is opaque; notes: what of it cannot be kept."""

    rgb: UInt8[np.ndarray, "h w 3"]
    own: UInt8[np.ndarray, "h w 3"]
    alpha: UInt8[np.ndarray, "h w"]
    notes: tuple[str, ...] = ()


def decode_whole(picture: bytes | Image.Image, background: str = WHITE) -> Whole:
    """All of an image, encoded or in memory, neither cropped nor scaled, and where it is transparent.

    Otherwise as `decode` does it; raises as `decode` does, and for more than `MOST_WHOLE` pixels.
    """
    if isinstance(picture, bytes):
        with open_image(picture, maximum=MOST_WHOLE) as found:
            return _whole(found, background)
    try:
        return _whole(_given(picture), background)
    except Exception as error:  # as above
        raise ValueError(reason(b"an image", error)) from error


def format_of(data: bytes) -> str:
    """The usual file ending of encoded image bytes: "png", "jpg", …; "jpg" also where they are damaged."""
    try:
        with open_image(data, enough=1) as found:
            name = (found.image.format or "JPEG").lower()
    except ValueError:  # the damage is reported when the image is decoded
        name = "jpeg"
    return {"jpeg": "jpg", "mpo": "jpg"}.get(name, name)


def _given(image: Image.Image) -> OpenedImage:
    """A caller's image: never `draft`, which would shrink it under their hands."""
    return OpenedImage(image, image.size, image.info.get("icc_profile"))


def _whole(found: OpenedImage, background: str) -> Whole:
    image = found.image
    check_size(*image.size, MOST_WHOLE)
    image.load()
    turn, colours = _TURNS.get(_orientation(image)), Colours.of(image, found.profile, found.bits)
    own = _array(image, colours.rgb, turn)
    if alpha(image.crop((0, 0, 1, 1))) is None:
        return Whole(own, own, np.full(own.shape[:2], 255, dtype=np.uint8), _lost(found, colours))
    rgb = _array(image, lambda part: colours.over(part, background), turn)
    return Whole(
        rgb, own, _array(image, lambda part: alpha(part) or Image.new("L", part.size, 255), turn), _lost(found, colours)
    )


def _array(
    image: Image.Image, look: Callable[[Image.Image], Image.Image], turn: Image.Transpose | None
) -> UInt8[np.ndarray, "..."]:
    """What `look` makes of each strip, as one array, turned: no second image of this size but the result."""
    found, at = None, 0
    for strip in strips(image):
        part = np.asarray(look(strip), dtype=np.uint8)
        if found is None:
            found = np.empty((image.height, *part.shape[1:]), dtype=np.uint8)
        found[at : at + len(part)], at = part, at + len(part)
    assert found is not None
    return found if turn is None else np.asarray(Image.fromarray(found).transpose(turn), dtype=np.uint8)


def _lost(found: OpenedImage, colours: Colours) -> tuple[str, ...]:
    """What an edited image cannot keep of the one it was."""
    mode = found.image.mode
    lost = ["its gray values of more than 8 bits become 8 bits"] if mode.startswith("I") or mode == "F" else []
    lost += [colours.note] if colours.note else []
    lost += ["its colour profile is another than sRGB: colours stay, as numbers of sRGB"] if colours.profile else []
    return (*lost, "it is in the colours of print (CMYK): they become sRGB") if mode == "CMYK" else tuple(lost)


def _decoded(found: OpenedImage, size: int, background: str, fit: Fit) -> Decoded:
    image = found.image
    check_size(*image.size)
    image.load()
    turn, colours = _TURNS.get(_orientation(image)), Colours.of(image, found.profile, found.bits)
    pixels = squared(image, size, colours, background, fit, turn)
    return Decoded(pixels, found.size, image.has_transparency_data, colours.note)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8 of a loaded image (a TIFF is turned by loading it, and then says 1)."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block is no reason to lose the image
        return 1

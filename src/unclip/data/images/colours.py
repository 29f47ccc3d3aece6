"""What the values of an image mean: 8-bit sRGB, by its colour profile and its number of bits, over a background."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, ImageColor

WHITE = "white"
_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
"""Pillow's mode -> the colour space of a profile for it."""
_RANGES = ((255.0, 8), (4095.0, 12), (65535.0, 16))
"""(highest value, bits) of gray that is kept in more than 8 bits."""
_STRIP = 2**21
"""Pixels that are looked at at once."""


def colour(name: str) -> tuple[int, int, int]:
    """RGB of a colour by name or as #rrggbb. Raises ValueError for anything else."""
    try:
        found = ImageColor.getrgb(name)
    except (ValueError, AttributeError) as error:
        raise ValueError(f"background = {name!r}: no colour; write white, black, gray or '#20c0ff'") from error
    if len(found) != 3:
        raise ValueError(f"background = {name!r}: a background is opaque; write a colour as '#20c0ff'")
    return found


@dataclass(frozen=True)
class Colours:
    """How the values of one image become colours. highest: the value of white in gray of more than 8 bits, else 0;
    profile: where it is to be converted from, None for sRGB."""

    highest: float = 0.0
    profile: bytes | None = None
    note: str = ""

    @classmethod
    def of(cls, image: Image.Image, profile: bytes | None, bits: int | None = None) -> "Colours":
        """Of an image that was decoded. bits: those that its file says are significant."""
        highest, note = 0.0, ""
        if _is_deep(image):
            largest = max(float(_values(strip).max(initial=0)) for strip in strips(image))
            highest, note = _range(largest, image.mode == "F", bits)
        return cls(highest, profile if profile and _is_foreign(profile) else None, note)

    def rgb(self, image: Image.Image) -> Image.Image:
        """All or a part of the image in sRGB, whatever lies behind it."""
        if _is_deep(image):
            scaled = np.round(_values(image) * (255 / self.highest)) if self.highest else _values(image)
            image = Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))
        plain = _opaque(image)
        if (self.profile or plain.mode == "LAB") and (to_rgb := _transform(self.profile, plain.mode)) is not None:
            return ImageCms.applyTransform(plain, to_rgb) or plain
        return plain if plain.mode == "RGB" else plain.convert("RGB")

    def over(self, image: Image.Image, background: str) -> Image.Image:
        """The same, over a background where it is transparent."""
        clear = alpha(image)
        if clear is None:
            return self.rgb(image)
        front = self.rgb(image).convert("RGBA")
        front.putalpha(clear)
        back = Image.new("RGBA", image.size, (*colour(background), 255))
        return Image.alpha_composite(back, front).convert("RGB")


def alpha(image: Image.Image) -> Image.Image | None:
    """0 (transparent) to 255 of each pixel; None where no pixel can be transparent."""
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        return image.convert("RGBA").getchannel("A")
    return None


def strips(
    image: Image.Image, multiple: int = 1, box: tuple[int, int, int, int] | None = None
) -> Iterator[Image.Image]:
    """The image (or a box of it) from top to bottom, in parts of its whole width and of a height that `multiple`
    divides (but for the last)."""
    left, top, right, bottom = box or (0, 0, *image.size)
    height = max(1, _STRIP // (right - left) // multiple) * multiple
    for y in range(top, bottom, height):
        yield image.crop((left, y, right, min(y + height, bottom)))


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _values(image: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0, neginf=0)


def _range(largest: float, floating: bool, bits: int | None) -> tuple[float, str]:
    """(the value of white, what is said of it where that is a guess)."""
    if floating and largest <= 1:
        return 1.0, ""
    if bits == 16:
        return 65535.0, ""
    for highest, count in _RANGES:
        if largest <= highest:
            guess = f"its gray values end at or below {highest:g}, which is taken as white"
            return highest, "" if count == 16 else guess
    return largest, "its gray values go beyond 65535; the largest is taken as white"


def _opaque(image: Image.Image) -> Image.Image:
    """Without transparency, in a mode that profiles know."""
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB").convert("RGB")
    if image.mode in ("LA", "La", "1"):
        return image.convert("LA").convert("L") if image.mode != "1" else image.convert("L")
    return image.convert("RGBA").convert("RGB") if image.mode in ("RGBA", "RGBa", "RGBX", "PA") else image


@lru_cache(maxsize=16)
def _is_foreign(profile: bytes) -> bool:
    """Whether a profile is of another space than sRGB; a damaged one counts for nothing."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return False
    return "srgb" not in name.lower()


@lru_cache(maxsize=16)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; None where the profile is damaged or of another kind of image: then it counts for nothing."""
    try:
        made = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        space = made.profile.xcolor_space if profile else None  # pyright: ignore[reportAttributeAccessIssue]
        if profile and space != _SPACES.get(mode):
            return None
        return ImageCms.buildTransform(made, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None

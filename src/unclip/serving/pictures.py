"""Images on their way in and out: uploads with limits, the sizes that clients ask for, and encoded answers."""

import base64
from dataclasses import dataclass

from PIL import Image

from unclip.data.images.open import open_image
from unclip.images.files import KEY, encoded

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
"""What is taken and given, as a client names it -> as Pillow does."""


@dataclass(frozen=True)
class Encoding:
    """How an answer is written. compression: 0 to 100, the quality of JPEG and WebP; side: (width, height), None: as
    drawn."""

    format: str = "png"
    compression: int = 100
    side: tuple[int, int] | None = None

    def bytes(self, image: Image.Image) -> bytes:
        """The image as a file; a PNG holds what made it."""
        image = fitted(image, self.side)
        lossy = {"quality": self.compression} if self.format != "png" else {}
        return encoded(image.convert("RGB") if self.format == "jpeg" else image, f".{self.format}", **lossy)

    def base64(self, image: Image.Image) -> str:
        """The same, as JSON can hold it."""
        return base64.b64encode(self.bytes(image)).decode()


def fitted(image: Image.Image, side: tuple[int, int] | None, background: str = "white") -> Image.Image:
    """The image at this size: enlarged or shrunk to fit, on the background where the shape is another."""
    if side in (None, image.size):
        return image
    scale = min(side[0] / image.width, side[1] / image.height)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resized = image.resize(inner, Image.Resampling.LANCZOS)
    if inner != side:
        sheet = Image.new("RGB", side, background)
        sheet.paste(resized, ((side[0] - inner[0]) // 2, (side[1] - inner[1]) // 2))
        resized = sheet
    if KEY in image.info:
        resized.info[KEY] = image.info[KEY]
    return resized


def read_upload(data: bytes, name: str, most: int, pixels: int) -> Image.Image:
    """An uploaded image, decoded. Raises ValueError for more than `most` bytes or `pixels`, or no PNG, JPEG or WebP."""
    if len(data) > most:
        raise ValueError(f"{name}: has {len(data):,} bytes, more than {most:,}; make it smaller first")
    try:
        with open_image(data, maximum=pixels) as found:
            if found.image.format not in (*FORMATS.values(), "MPO"):
                raise ValueError(f"is a {found.image.format}; send a PNG, JPEG or WebP")
            found.image.load()
            copy = found.image.copy()
            copy.info.update(found.image.info)
            return copy
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error

"""Images in and out: tensors to PIL, PNG files that say what made them, labelled grids and strips."""

import io
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from unclip.core.disk.atomic import write_atomic
from unclip.core.shown import printable
from unclip.core.typing import Images
from unclip.core.watching import during
from unclip.data.images.png import text_in
from unclip.data.loader import to_pixels
from unclip.images.parameters import PARAMETERS, parameters

KEY = "unclip"
"""The PNG text chunk that holds prompt, seed, settings, model hash and the command as JSON."""
_unsigned: ContextVar[bool] = ContextVar("unsigned", default=False)


@contextmanager
def unsigned(wanted: bool = True) -> Iterator[None]:
    """Inside, images are written without what made them."""
    with during(_unsigned, wanted):
        yield


File = str | bytes | PathLike[str] | PathLike[bytes] | IO[bytes] | io.BytesIO | io.BufferedWriter


class SignedImage(Image.Image):
    """An image whose own `save` keeps what made it (`info["unclip"]`), where the format is PNG, and whose copy does.

    Pillow writes a PNG's texts only where they are handed to `save`; other formats have no place for them.
    """

    def save(self, fp: File, format: str | None = None, **params: Any) -> None:
        super().save(fp, format, **{**_texts(self), **params})

    def copy(self) -> "SignedImage":
        return sign(super().copy())


def sign(picture: Image.Image) -> SignedImage:
    """The same image, its class changed: a new one that was just made, never a caller's."""
    picture.__class__ = SignedImage
    assert isinstance(picture, SignedImage)
    return picture


def _texts(picture: Image.Image) -> dict[str, PngInfo]:
    if KEY not in picture.info or _unsigned.get():
        return {}
    about = PngInfo()
    about.add_itxt(KEY, _text(picture.info[KEY]))
    theirs = parameters(picture.info[KEY], picture.width, picture.height)
    if theirs is not None:
        about.add_text(PARAMETERS, theirs.encode("utf-8", "replace").decode())
    return {"pnginfo": about}


def to_pictures(x: Images) -> list[Image.Image]:
    """[-1, 1] tensors to images: RGB of three channels, gray of one."""
    return [sign(Image.fromarray(p.squeeze(-1) if x.shape[1] == 1 else p)) for p in to_pixels(x)]


def save_picture(picture: Image.Image, path: Path, **how: Any) -> None:
    """Writes an image in the format of the path's ending; a PNG keeps what made it (`info["unclip"]`), in the line
    that other tools read, too (`images.parameters`).

    A process that is killed leaves the old file or the new one, never a part of it.

    Args:
        picture: the image.
        path: the file.
        how: options of Pillow's `save`.
    """
    write_atomic(path, encoded(picture, path.suffix, **how))


def encoded(picture: Image.Image, suffix: str, **how: Any) -> bytes:
    """The bytes that `save_picture` writes; suffix: ".png"."""
    data = io.BytesIO()
    picture.save(data, suffix[1:].upper(), **{**_texts(picture), **how})
    return data.getvalue()


def _text(about: dict[str, Any]) -> str:
    text = json.dumps(about, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # the name of a file that is not UTF-8
        return json.dumps(about)
    return text


def read_about(path: Path) -> dict[str, Any]:
    """What a PNG says made it; anybody may have written that. No pixel is decoded.

    Raises ValueError that names the file where it says nothing, or nothing that can be read.
    """
    try:
        if not path.is_file():
            raise ValueError("it is not a regular file")
        with path.open("rb") as file:
            text = text_in(file, KEY)
        if text is None:
            raise ValueError(f"no {KEY!r} text inside")
        about = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{printable(path)}: not a PNG that unclip wrote ({printable(error, 200)})") from error
    if not isinstance(about, dict):
        raise ValueError(f"{printable(path)}: not a PNG that unclip wrote (its {KEY!r} text is not a table)")
    return about


def grid(
    rows: Sequence[Sequence[Image.Image]],
    labels: Sequence[str] | None = None,
    zoom: int = 2,
    heads: Sequence[str] | None = None,
) -> Image.Image:
    """Arranges images in rows on one sheet, with labels.

    Args:
        rows: images of one size.
        labels: the text to the left of each row.
        zoom: a whole number by which the images are enlarged, without blur.
        heads: the text above each column.
    """
    (width, height), gap, maximum = (side * zoom for side in rows[0][0].size), 2, max(len(r) for r in rows)
    left = _label_width(labels) if labels else 0
    wrapped = ["\n".join(_lines(head, max(8, width // 7))) for head in heads or ()]
    above = max((16 * (head.count("\n") + 1) for head in wrapped), default=0)
    across, down = left + maximum * (width + gap) + gap, above + len(rows) * (height + gap) + gap
    sheet = sign(Image.new("RGB", (across, down), "white"))
    pen = ImageDraw.Draw(sheet)
    for j, head in enumerate(wrapped):
        centre = (left + gap + j * (width + gap) + width // 2, above // 2)
        pen.multiline_text(centre, head, fill="black", font=_font(), anchor="mm", align="center", spacing=2)
    for i, row in enumerate(rows):
        top = above + gap + i * (height + gap)
        if labels:
            _write(pen, labels[i], (4, top + height // 2))
        for j, picture in enumerate(row):
            large = picture.resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(large, (left + gap + j * (width + gap), top))
    return sheet


def contact(pictures: Sequence[Image.Image], labels: Sequence[str], columns: int = 10, side: int = 128) -> Image.Image:
    """Images of one size, each under its label, in rows; zoomed by a whole number towards `side`, without blur."""
    side, gap, head = pictures[0].width * max(1, side // pictures[0].width), 6, 18
    across, down = min(columns, len(pictures)), math.ceil(len(pictures) / columns)
    sheet = sign(Image.new("RGB", (across * (side + gap) + gap, down * (side + gap + head) + gap), "white"))
    pen = ImageDraw.Draw(sheet)
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x, y = gap + i % columns * (side + gap), gap + i // columns * (side + gap + head) + head
        pen.text((x + side // 2, y - head // 2), label, fill="black", font=_font(), anchor="mm")
        pen.rectangle((x - 1, y - 1, x + side, y + side), outline="#c6ccd3")  # a white image has an edge, too
        sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (x, y))
    return sheet


def tile(pictures: Sequence[Image.Image]) -> Image.Image:
    """Arranges images of one size in a nearly square sheet, parted by gray lines of one pixel."""
    width, height = pictures[0].size
    columns = math.ceil(len(pictures) ** 0.5)
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * (width + 1) - 1, rows * (height + 1) - 1), "#c6ccd3")
    blank = Image.new("RGB", (width, height), "white")
    for i in range(rows * columns):
        picture = pictures[i] if i < len(pictures) else blank
        sheet.paste(picture, (i % columns * (width + 1), i // columns * (height + 1)))
    return sheet


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=12)


def _label_width(labels: Sequence[str]) -> int:
    font = _font()
    lines = [line for label in labels for line in _lines(label)]
    return 12 + max(int(font.getbbox(line)[2]) for line in lines)


def _lines(label: str, maximum: int = 34) -> list[str]:
    lines = [""]
    for word in label.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > maximum:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _write(pen: ImageDraw.ImageDraw, label: str, left_middle: tuple[int, int]) -> None:
    pen.multiline_text(left_middle, "\n".join(_lines(label)), fill="black", font=_font(), anchor="lm", spacing=2)


def thumbnail_sheet(pixels: np.ndarray, columns: int = 8, zoom: int = 2) -> Image.Image:
    """A grid without labels from uint8 images [n, h, w, 3]."""
    pictures = [Image.fromarray(p) for p in pixels]
    return grid([pictures[i : i + columns] for i in range(0, len(pictures), columns)], zoom=zoom)

"""Images that are not square, whole on their background."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from tests.data.conftest import save

from unclip.data.images import square
from unclip.data.images.decode import decode, decode_opened
from unclip.data.images.open import open_image
from unclip.data.layouts.kinds import Fit
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.inspect import inspect_source
from unclip.data.prepare.write import prepare
from unclip.data.source import open_source

SKY, SUN = (20, 90, 200), (250, 220, 0)


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A disc that reaches the left edge, on one colour."""
    image, r = Image.new(mode, (width, height), SKY), min(width, height) // 3
    ImageDraw.Draw(image).ellipse((-r, height // 2 - r, r, height // 2 + r), fill=SUN)
    return image


@pytest.mark.parametrize("width, height", [(90, 30), (30, 90), (64, 63), (300, 40)])
def test_all_of_an_image_lies_in_the_middle_of_its_own_background(width: int, height: int) -> None:
    size = 32
    pixels = decode(save(scene(width, height)), size, fit="pad")
    inside = square.inner((width, height), size)
    assert max(inside) == size and abs(inside[0] / inside[1] - width / height) <= width / height / min(inside)
    rows, columns = square.middle(inside[::-1], size)
    exact = scene(width, height).resize(inside, Image.Resampling.LANCZOS)
    off = np.abs(pixels[rows, columns].astype(int) - np.asarray(exact))
    assert off.max() <= 24 and off.mean() < 1.5  # a box reduction comes first
    around = np.ones((size, size), dtype=bool)
    around[rows, columns] = False
    assert (pixels[around] == SKY).all()


def test_square_images_and_the_default_are_as_they_were() -> None:
    for image in (scene(48, 48), scene(7, 7)):
        assert (decode(save(image), 16, fit="pad") == decode(save(image), 16)).all()
    wide = save(scene(60, 30))
    middle = scene(60, 30).crop((15, 0, 45, 30))
    assert (decode(wide, 16) == decode(save(middle), 16)).all()


@pytest.mark.parametrize("width, height", [(1, 300), (3000, 2), (1, 1), (5, 1)])
def test_a_thin_image_keeps_a_line(width: int, height: int) -> None:
    image = Image.new("RGB", (width, height), SUN)
    assert (decode(save(image), 16, fit="pad") == SUN).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_image_is_padded_where_it_is_seen(turn: int) -> None:
    image = scene(40, 23)
    exif = Image.Exif()
    exif[0x0112] = turn
    data = save(image, exif=exif)
    with open_image(data) as found:
        upright = decode_opened(ImageOps.exif_transpose(found.image), 16, fit="pad").pixels
    off = np.abs(decode(data, 16, fit="pad").astype(int) - upright)
    assert off.max() <= 12 and off.mean() < 0.5  # rows or columns are scaled first


def test_transparency_shows_the_background_around_an_image_too() -> None:
    icon = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    ImageDraw.Draw(icon).rectangle((10, 5, 30, 15), fill=(*SUN, 255))
    pixels = decode(save(icon), 32, "black", fit="pad")
    assert (pixels[:8] == 0).all() and (pixels[-8:] == 0).all() and (pixels[16, 16] == SUN).all()
    cut = Image.new("RGBA", (40, 20), (*SUN, 255))  # what touches the border here is the thing itself
    cut.putpixel((0, 0), (0, 0, 0, 0))
    assert (decode(save(cut), 32, "white", fit="pad")[0] == 255).all()
    opaque = Image.new("RGBA", (40, 20), (*SKY, 255))
    assert (decode(save(opaque), 32, "white", fit="pad") == SKY).all()


def test_a_large_image_is_reduced_strip_by_strip_to_the_same() -> None:
    image = scene(3000, 2000).resize((3000, 2000))
    strips = decode(save(image), 24, fit="pad").astype(int)
    old, square._LARGE = square._LARGE, 2**30
    try:
        assert np.abs(strips - decode(save(image), 24, fit="pad")).max() <= 6
    finally:
        square._LARGE = old


def folder(place: Path) -> Path:
    place.mkdir()
    for i, size in enumerate([(60, 20), (20, 60), (40, 40)]):
        scene(*size).save(place / f"{i}.png")
        (place / f"{i}.txt").write_text(f"the sun {i}", encoding="utf-8")
    return place


def test_what_was_prepared_one_way_is_not_taken_for_the_other(tmp_path: Path) -> None:
    source = open_source(folder(tmp_path / "images"))
    whole = prepare(source, tmp_path / "out", 32, fit="pad").images[:]
    assert is_prepared(source, tmp_path / "out")
    for path in (tmp_path / "images").iterdir():  # other times: then pixels are compared, and by the same fit
        path.touch()
    assert is_prepared(open_source(tmp_path / "images"), tmp_path / "out")
    cropped = prepare(source, tmp_path / "out", 32).images[:]
    assert not (whole == cropped).all() and (whole[2] == cropped[2]).all()
    assert (prepare(source, tmp_path / "out", 32, fit="pad").images[:] == whole).all()


def test_the_side_that_fills_the_square_tells_what_is_small(tmp_path: Path) -> None:
    source = open_source(folder(tmp_path / "images"))
    assert "! 2 of 3 images are smaller than 32 pixels" in "\n".join(inspect_source(source).lines())
    assert "smaller" not in "\n".join(inspect_source(source, fit="pad").lines())
    assert len(prepare(source, tmp_path / "pad", 48, 1.0, minimum=48, fit="pad")) == 2
    with pytest.raises(ValueError, match="smaller than the 48 px that are wanted"):
        prepare(source, tmp_path / "crop", 48, 1.0, minimum=48)


@pytest.mark.parametrize("fit", ["", "Pad", "stretch"])
def test_another_fit_is_refused(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="write crop .the middle of an image. or pad"):
        square.check_known(fit)


def test_what_lies_around_an_image_of_many_colours_is_one_that_it_has() -> None:
    image = Image.new("RGB", (60, 20), (200, 0, 0))
    image.paste((0, 0, 200), (25, 0, 60, 20))
    for size in (2, 4, 30, 90):
        assert tuple(decode(save(image), size, fit="pad")[-1, 0]) == (0, 0, 200)

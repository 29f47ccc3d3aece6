"""A picture in every mode comes out as a person would expect."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image, ImageFile
from tests.data.conftest import encode, noise, save

from unclip.data import decode as module
from unclip.data.decode import decode, decode_sized, decode_whole, format_of

HALF_CLEAR_RED = (255, 0, 0, 128)  # over white: (255, 127, 127)


def center(data: bytes, size: int = 8) -> tuple[int, ...]:
    pixels = decode(data, size)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    return tuple(int(value) for value in pixels[size // 2, size // 2])


def clear_palette() -> Image.Image:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.info["transparency"] = 1
    return image


def gray16(value: int) -> Image.Image:
    return Image.fromarray(np.full((8, 8), value, dtype=np.uint16))


MODES = {
    "L": (save(Image.new("L", (8, 8), 77)), (77, 77, 77)),
    "1": (save(Image.new("1", (8, 8), 1)), (255, 255, 255)),
    "LA": (save(Image.new("LA", (8, 8), (0, 0))), (255, 255, 255)),
    "RGBA": (save(Image.new("RGBA", (8, 8), HALF_CLEAR_RED)), (255, 127, 127)),
    "RGBA webp": (save(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "WEBP", lossless=True), (255, 255, 255)),
    "P": (save(Image.new("RGB", (8, 8), (9, 8, 7)).quantize(4)), (9, 8, 7)),
    "P clear": (save(clear_palette(), transparency=1), (255, 255, 255)),
    "RGB with a clear colour": (save(Image.new("RGB", (8, 8), (1, 2, 3)), transparency=(1, 2, 3)), (255, 255, 255)),
    "CMYK": (save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), (254, 0, 0)),
    "I;16": (save(gray16(128 * 257)), (128, 128, 128)),
    "I;16 white": (save(gray16(65535)), (255, 255, 255)),
    "I;16 tiff": (save(gray16(300), "TIFF"), (1, 1, 1)),
    "I;16B tiff": (save(Image.frombytes("I;16B", (8, 8), b"\x80\x80" * 64), "TIFF"), (128, 128, 128)),
    "F": (save(Image.new("F", (8, 8), 0.5), "TIFF"), (128, 128, 128)),
    "1x1": (encode((1, 2, 3), (1, 1)), (1, 2, 3)),
    "1x300": (encode((1, 2, 3), (1, 300)), (1, 2, 3)),
    "300x1": (encode((1, 2, 3), (300, 1)), (1, 2, 3)),
    "BMP": (encode((1, 2, 3), form="BMP"), (1, 2, 3)),
}


@pytest.mark.parametrize("name", MODES)
def test_modes(name: str) -> None:
    data, expected = MODES[name]
    assert np.abs(np.subtract(center(data), expected)).max() <= 1, center(data)


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    assert center(save(frames[0], "GIF", save_all=True, append_images=frames[1:])) == (255, 0, 0)


def test_two_pictures_in_one_jpeg_as_phones_write_them() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("white", "blue")]
    data = save(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert center(data) == (255, 255, 255)
    assert format_of(data) == "jpg"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(form: str, orientation: int) -> None:
    quarters = np.zeros((16, 24, 3), np.uint8)
    quarters[:8, :12], quarters[:8, 12:], quarters[8:, :12] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {"quality": 100, "subsampling": 0} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    found = decode(save(Image.fromarray(quarters), form, exif=exif, **how), 4)
    upright = decode(save(Image.fromarray(quarters)), 4).astype(int)
    turned = [
        upright,
        upright[:, ::-1],
        upright[::-1, ::-1],
        upright[::-1],
        upright.transpose(1, 0, 2),
        np.rot90(upright, -1),
        upright[::-1, ::-1].transpose(1, 0, 2),
        np.rot90(upright),
    ][orientation - 1]
    assert np.abs(found - turned).max() <= 12


def test_centre_crop_and_area_aware_scaling() -> None:
    image = np.zeros((64, 192, 3), np.uint8)
    image[:, 64:128] = 200
    inside = decode(save(Image.fromarray(image)), 16)[:, 1:-1].astype(int)
    assert np.abs(inside - 200).max() <= 4  # the filter looks past the edge of the crop, as resizing first would
    checks = np.indices((512, 512)).sum(0) % 2 * np.uint8(255)
    gray = decode(save(Image.fromarray(checks.astype(np.uint8))), 16)
    assert np.abs(gray.astype(int) - 127).max() <= 2  # picking single pixels would give 0 or 255


def test_large_jpeg_equals_a_plain_resize() -> None:
    smooth = noise(8, 8).resize((640, 640), Image.Resampling.BICUBIC)
    data = save(smooth, "JPEG", quality=95)
    plain = np.asarray(Image.open(io.BytesIO(data)).resize((32, 32), Image.Resampling.LANCZOS)).astype(int)
    pixels, original = decode_sized(data, 32)
    assert original == (640, 640)
    assert np.abs(pixels - plain).mean() < 2


def test_a_picture_of_the_right_size_is_untouched() -> None:
    image = noise(16, 16)
    assert (decode(save(image), 16) == np.asarray(image)).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("keep", [0.03, 0.5, 0.9])
def test_cut_short(form: str, keep: float) -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    data = save(noise(64, 64), form)
    with pytest.raises(ValueError, match=r"damaged|supported"):
        decode(data[: int(len(data) * keep)], 16)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello", "no picture in a supported format"),
        (b"<!DOCTYPE html><p>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture in a supported format"),
    ],
)
def test_strangers_are_named(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode(data, 8)


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 50)
    with pytest.raises(ValueError, match="million pixels; make it smaller"):
        decode(encode(), 8)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow also warns of what it then refuses
def test_flipped_bytes_raise_nothing_but_value_errors() -> None:
    rng = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        data = np.frombuffer(save(noise(16, 16), form), np.uint8)
        for _ in range(60):
            broken = data.copy()
            broken[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            with contextlib.suppress(ValueError):
                assert decode(broken.tobytes(), 8).shape == (8, 8, 3)


def test_format_of() -> None:
    assert [format_of(encode(form=form)) for form in ("PNG", "JPEG", "WEBP")] == ["png", "jpg", "webp"]
    assert format_of(b"?") == "jpg"


def test_size_is_checked() -> None:
    with pytest.raises(ValueError, match="size is 0"):
        decode(encode(), 0)


def test_the_whole_picture_keeps_its_shape_and_is_turned() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    image = Image.new("RGB", (6, 3), (250, 10, 10))
    assert decode_whole(save(image)).rgb.shape == (3, 6, 3)
    assert decode_whole(save(image, "JPEG", exif=turned)).rgb.shape == (6, 3, 3)
    assert tuple(decode_whole(Image.new("RGBA", (2, 5), HALF_CLEAR_RED)).rgb[0, 0]) == pytest.approx(
        (255, 127, 127), abs=1
    )
    with pytest.raises(ValueError, match="no picture in a supported format"):
        decode_whole(b"hello")

"""An image in every mode comes out as a person would expect."""

import contextlib
import io
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo
from tests.data.conftest import encode, noise, save

from unclip.data.images import open as module
from unclip.data.images import square
from unclip.data.images.decode import decode, decode_sized, decode_whole, format_of

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
    "I;16 tiff of 12 bits": (save(gray16(300), "TIFF"), (19, 19, 19)),
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
    found = decode_sized(data, 32)
    assert found.size == (640, 640)
    assert np.abs(found.pixels - plain).mean() < 2


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
        (b"hello", "no image in a supported format"),
        (b"<!DOCTYPE html><p>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image in a supported format"),
    ],
)
def test_strangers_are_named(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode(data, 8)


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 50)
    with pytest.raises(ValueError, match="million pixels; make it smaller"):
        decode(encode(), 8)


def test_memory_is_counted_before_a_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    large = save(Image.new("1", (12_000, 12_000)))
    header = large.replace(b"\x01\x00\x00\x00", b"\x08\x02\x00\x00", 1)  # 1 bit gray becomes 8 bits colour
    fixed = header[:29] + zlib.crc32(header[12:29]).to_bytes(4) + header[33:]
    with pytest.raises(ValueError, match="12000 x 12000 pixels, which take 576 MB to decode, more than 440 MB"):
        decode(fixed, 8)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="more than 40 million pixels"):
        decode_whole(large)


def test_large_pictures_are_reduced_strip_by_strip_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    large = noise(40, 30).resize((2600, 1951), Image.Resampling.BICUBIC).convert("RGBA")
    large.putalpha(Image.radial_gradient("L").resize(large.size))
    data = save(large, compress_level=1)
    found = decode(data, 32, "black").astype(int)
    monkeypatch.setattr(square, "_LARGE", 10**9)
    apart = np.abs(found - decode(data, 32, "black"))
    assert apart.mean() < 0.5 and apart.max() <= 6  # at the borders: the reduction looks at other pixels beyond them


def test_large_memory_is_taken_once() -> None:
    """A transparent image of 16 million pixels (64 MB): one decoded copy, and strips."""
    code = """
import resource, sys
from unclip.data.images.decode import decode
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(data, 64)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    data = save(Image.new("RGBA", (4000, 4000), (9, 8, 7, 100)), compress_level=1)
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert int(done.stdout) < 120_000, f"{int(done.stdout) / 1000} MB"


def test_long_texts_and_colour_profiles_do_not_make_a_picture_damaged() -> None:
    text = PngInfo()
    text.add_text("workflow", "x" * 3_000_000, zip=True)
    text.add_itxt("prompt", "y" * 70_000_000, zip=True)
    assert center(save(Image.new("RGB", (8, 8), (1, 2, 3)), pnginfo=text)) == (1, 2, 3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(2_000_000)
    assert center(save(Image.new("RGB", (8, 8), (1, 2, 3)), icc_profile=srgb)) == (1, 2, 3)


def wide_gamut() -> bytes:
    """A profile whose red and green are swapped: what it does cannot be overlooked."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "own!".encode("utf-16-be")).replace(b"sRGB b", b"own! b")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_colour_profiles_are_honoured(form: str) -> None:
    how = {"quality": 100} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    data = save(Image.new("RGB", (8, 8), (250, 10, 10)), form, icc_profile=wide_gamut(), **how)
    assert np.abs(np.subtract(center(data), (10, 250, 10))).max() <= 6
    assert any("colour profile" in note for note in decode_whole(data).notes)
    clear = Image.new("RGBA", (8, 8), (250, 10, 10, 0))
    if form != "JPEG":
        assert center(save(clear, form, icc_profile=wide_gamut(), **how)) == (255, 255, 255)
    assert center(save(Image.new("RGB", (8, 8), (250, 10, 10)), icc_profile=b"no profile")) == (250, 10, 10)
    assert center(save(Image.new("L", (8, 8), 9), icc_profile=wide_gamut())) == (9, 9, 9)  # not one for gray


@pytest.mark.parametrize(
    "image, form, white, told",
    [
        (Image.fromarray(np.array([[0, 4095]], np.uint16)), "PNG", 4095, "at or below 4095"),
        (Image.fromarray(np.array([[0, 65535]], np.uint16)), "PNG", 65535, ""),
        (Image.fromarray(np.array([[0, 255]], np.int32)), "TIFF", 255, "at or below 255"),
        (Image.fromarray(np.array([[0, 100_000]], np.int32)), "TIFF", 100_000, "beyond 65535"),
        (Image.fromarray(np.array([[0, 200]], np.float32)), "TIFF", 255, "at or below 255"),
        (Image.fromarray(np.array([[0, 1]], np.float32)), "TIFF", 1, ""),
    ],
)
def test_deep_gray_is_scaled_by_its_range_and_that_is_told(
    image: Image.Image, form: str, white: int, told: str
) -> None:
    data, largest = save(image, form), np.asarray(image).max().item()
    found = decode_sized(data, 1)
    assert decode_whole(data).rgb[0].mean(-1).tolist() == [0, round(255 * largest / white)]
    assert told in found.note and bool(told) == bool(found.note)


def test_a_dark_picture_whose_file_says_16_bits_stays_dark() -> None:
    data = save(Image.fromarray(np.array([[0, 2570]], np.uint16)))
    bits = b"sBIT\x10"
    chunk = (1).to_bytes(4) + bits + zlib.crc32(bits).to_bytes(4)
    assert decode_whole(data[:33] + chunk + data[33:]).rgb[0, 1, 0] == 10
    assert decode_whole(data).rgb[0, 1, 0] == 160


def test_transparency_is_laid_over_the_background() -> None:
    data = save(Image.new("RGBA", (8, 8), (255, 255, 255, 0)))
    assert decode(data, 8, "#102030")[4, 4].tolist() == [16, 32, 48]
    whole = decode_whole(save(Image.new("RGBA", (8, 8), HALF_CLEAR_RED)))
    assert whole.own[0, 0].tolist() == [255, 0, 0] and whole.alpha[0, 0] == 128


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
    with pytest.raises(ValueError, match="no image in a supported format"):
        decode_whole(b"hello")

"""A user's image, whatever its size and mode, is seen as the training images were."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unclip.data.loader import to_pixels
from unclip.images.read import read_image, read_whole


def test_wide_picture_gives_its_centre_square(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = (255, 127, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png", 10).images
    assert found.shape == (1, 3, 10, 10)
    assert found.dtype == torch.float32
    away = np.abs(to_pixels(found).astype(int) - (255, 127, 0))
    assert away[:, 2:-2, 2:-2].max() <= 1
    assert away.max() < 20  # the resampling looks a little beyond the square


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (0, 0, 0, 0)), ("L", 255), ("LA", (0, 0)), ("1", 1)])
def test_any_mode_is_colour_over_white(tmp_path: Path, mode: str, colour: tuple[int, ...]) -> None:
    Image.new(mode, (5, 9), colour).save(tmp_path / "a.png")
    assert torch.equal(read_image(tmp_path / "a.png", 4).images, torch.ones(1, 3, 4, 4))


def test_refuses_what_is_no_picture_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("words", encoding="utf-8")
    (tmp_path / "empty.png").touch()
    for path, why in (
        (tmp_path / "a.png", r"a\.png: no image in a supported format"),
        (tmp_path / "empty.png", r"empty\.png: the file is empty"),
        (tmp_path / "b.png", r"b\.png: no such image"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(ValueError, match=why):
            read_image(path, 8)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("look", [lambda p: read_image(p, 8), read_whole], ids=["take", "whole"])
def test_the_callers_picture_is_never_changed(form: str, look: Callable[[Image.Image], object]) -> None:
    file = io.BytesIO()
    Image.effect_mandelbrot((640, 480), (-2, -1, 1, 1), 20).convert("RGB").save(file, form)
    with Image.open(file) as mine, Image.open(io.BytesIO(file.getvalue())) as other:
        look(mine)
        other.load()
        assert (mine.size, mine.mode, mine.info.keys()) == ((640, 480), other.mode, other.info.keys())
        assert mine.tobytes() == other.tobytes()


def test_a_pipe_or_a_device_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("/dev/zero")
    for name in ("a.png", "b.png"):
        with pytest.raises(ValueError, match=rf"{name}: is not a regular file"):
            read_image(tmp_path / name, 8)


def test_a_background_lies_behind_what_is_transparent() -> None:
    icon = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    assert read_image(icon, 8).images.min() == 1
    assert read_image(icon, 8, "black").images.max() == -1
    with pytest.raises(ValueError, match="background = 'no such': no colour"):
        read_image(icon, 8, "no such")

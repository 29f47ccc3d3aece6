"""An image keeps what made it wherever its own `save` writes a PNG, and is written whole or not at all."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from unclip.images.files import KEY, grid, read_about, save_picture, to_pictures

ABOUT = {"prompt": "ein Käse", "seed": 1}


def drawn() -> Image.Image:
    [picture] = to_pictures(torch.zeros(1, 3, 8, 8))
    picture.info[KEY] = ABOUT
    return picture


def test_save_as_in_pillow(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    drawn().save(str(tmp_path / "b.png"), optimize=True)
    drawn().copy().save(tmp_path / "c.png")
    sheet = grid([[drawn()]])
    sheet.info[KEY] = ABOUT
    sheet.save(tmp_path / "d.png")
    file = io.BytesIO()
    drawn().save(file, "PNG")
    (tmp_path / "e.png").write_bytes(file.getvalue())
    save_picture(drawn(), tmp_path / "f.png")
    assert [read_about(tmp_path / f"{name}.png") for name in "abcdef"] == [ABOUT] * 6
    with Image.open(tmp_path / "a.png") as again:
        assert again.tobytes() == drawn().tobytes()


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "BMP", "GIF", "TIFF", "PDF", "PPM"])
def test_formats_without_a_place_for_it_are_written_all_the_same(form: str) -> None:
    file = io.BytesIO()
    drawn().save(file, form)
    assert file.getvalue()


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any write, the old file is there, and no part under its name."""
    save_picture(drawn(), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()

    def killed(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:20])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        save_picture(Image.new("RGB", (9, 9)), tmp_path / "a.png")
    with pytest.raises(KeyboardInterrupt):
        save_picture(Image.new("RGB", (9, 9)), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == before and not (tmp_path / "b.png").exists()

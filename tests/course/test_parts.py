"""What the units take from this room: data, pictures, the number of steps, a command in a cell."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from unclip.course import captioned, pictures, plots, rows, scaled, show, terminal


@pytest.mark.parametrize("said, steps", [("1", 300), ("0.01", 3), ("0.0001", 2), ("4", 1200)])
def test_steps_are_scaled(monkeypatch: pytest.MonkeyPatch, said: str, steps: int) -> None:
    monkeypatch.setenv("UNCLIP_COURSE_SCALE", said)
    assert scaled(300) == steps


@pytest.mark.parametrize("said", ["", "0", "-1", "nan", "inf", "fast"])
def test_a_scale_that_is_no_number(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("UNCLIP_COURSE_SCALE", said)
    with pytest.raises(ValueError, match="UNCLIP_COURSE_SCALE = .*expected a number above 0"):
        scaled(300)


def test_drawn_shapes() -> None:
    x, captions = captioned("shapes", 16, 5)
    assert x.shape == (5, 3, 16, 16) and x.min() >= -1 and x.max() == 1
    assert all(captions) and len(captions) == 5
    assert torch.equal(pictures("shapes", 16, 5), x)
    assert not torch.equal(pictures("shapes", 16, 5, seed=1), x)


def test_a_folder(tmp_path: Path) -> None:
    for i, colour in enumerate(("red", "lime", "blue")):
        Image.new("RGB", (40, 60), colour).save(tmp_path / f"{i}.png")
        (tmp_path / f"{i}.txt").write_text(f"all {colour}", encoding="utf-8")
    (tmp_path / "3.png").write_bytes(b"no image")
    (tmp_path / "3.txt").write_text("damaged", encoding="utf-8")
    x, captions = captioned(str(tmp_path), 8, 10)
    assert captions == ("all red", "all lime", "all blue")
    assert x[:, :, 4, 4].tolist() == [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        captioned(str(tmp_path / "gone"), 8, 10)
    Image.new("RGB", (9, 9)).save(tmp_path / "one.png")
    with pytest.raises(ValueError, match="1 images could be read, at least 2 are needed"):
        captioned(str(tmp_path), 8, 10)


def test_a_script_says_where_its_pictures_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    figure, [left, _] = plots(2)
    left.plot([1, 2])
    for what in (torch.zeros(3, 1, 8, 8), figure, Image.new("RGB", (5, 5)), [Image.new("RGB", (5, 5))] * 9):
        show(what)
        path = tmp_path / capsys.readouterr().out.removeprefix("drew ").strip()
        with Image.open(path) as picture:
            assert picture.width > 4
    show([Image.new("RGB", (5, 5))] * 2, ["one", "two"])


def test_rows_are_as_wide_as_a_page() -> None:
    assert rows(torch.zeros(10, 3, 16, 16)).size == (8 * (16 * 5 + 2) + 2, 2 * (16 * 5 + 2) + 2)
    assert rows(torch.zeros(2, 3, 16, 16), zoom=1).size == (2 * 18 + 2, 18 + 2)


def test_commands_in_a_cell(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "src"))
    terminal("unclip course")
    assert "$ unclip course\n1  What a diffusion model is" in capfd.readouterr().out
    with pytest.raises(ValueError, match="there are 1, 2, 3"):
        terminal("unclip course 12")
    with pytest.raises(ValueError, match="only commands of unclip are run here, not rm"):
        terminal("rm -r everything")

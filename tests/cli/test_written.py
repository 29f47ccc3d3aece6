"""Where images go: asked before the work; nothing is ever replaced."""

from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import Call

from unclip.cli.arguments.output import check_file, check_folder, slug, write_picture
from unclip.images.files import KEY


def picture(about: dict[str, object], colour: str = "red") -> Image.Image:
    made = Image.new("RGB", (4, 4), colour)
    made.info[KEY] = about
    return made


def test_only_the_same_picture_keeps_its_name(tmp_path: Path):
    def write(*given: object) -> str:
        return write_picture(picture(*given), tmp_path, "heart-0").name  # pyright: ignore

    assert write({"prompt": "heart", "seed": 0}) == "heart-0.png"
    assert write({"prompt": "heart", "seed": 0}) == "heart-0.png"
    assert write({"prompt": "heart", "seed": 0, "sampling": {"steps": 5}}) == "heart-0-2.png"
    assert write({"prompt": "heart", "seed": 0, "model": "other"}) == "heart-0-3.png"
    assert write({"prompt": "heart", "seed": 0}, "blue") == "heart-0-4.png"
    assert write({"prompt": "heart", "seed": 0, "sampling": {"steps": 5}}) == "heart-0-2.png"


def test_what_others_wrote_stays(tmp_path: Path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a-2.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "a-3.png").write_bytes(b"mine")
    assert write_picture(picture({}), tmp_path, "a").name == "a-4.png"
    assert (tmp_path / "a-3.png").read_bytes() == b"mine"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("prompt", ["漢" * 100, "é" * 100, "a" * 300, "\udce9x"])
def test_long_and_odd_names_fit(prompt: str, tmp_path: Path):
    stem = f"{slug(prompt)}-{slug(prompt)}-blend"
    assert write_picture(picture({"of": prompt}), tmp_path, stem).is_file()


@pytest.mark.parametrize(
    "out, why",
    [
        ("heart.png", "is the name of an image, and a folder is asked for: --out heart"),
        ("file", "is there already and no folder"),
        ("file/below", "file is a file, so that there can be no folder of this name"),
        ("file/much/below", "file is a file"),
    ],
)
def test_a_bad_folder_is_told_before_the_work(call: Call, tmp_path: Path, out: str, why: str, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x", encoding="utf-8")
    for words in (
        ["generate", "x", "--run", "none"],
        ["vary", "x.png", "--run", "none"],
        ["blend", "x.png", "y.png", "--run", "none"],
        ["edit", "x.png", "--run", "none"],
        ["upsample", "x.png", "--run", "none"],
        ["search", "x", "--run", "none"],
        ["explain", "none"],
        ["study", "none"],
        ["demo"],
        ["train", "none"],
    ):
        done = call(*words, "--out", out)
        assert (done.code, why in done.err) == (2, True), (words, done.err)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_bad_json_is_told_before_the_work(call: Call, tmp_path: Path):
    for words in (["evaluate", "none"], ["compare-priors", "none"]):
        done = call(*words, "--json", tmp_path)
        assert done.code == 2
        assert "is a folder; name a file" in done.err


def test_good_places(tmp_path: Path):
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "deep")
    check_folder(tmp_path / "v1.0")
    check_file(tmp_path / "new" / "scores.json", "--json")
    assert not any(tmp_path.iterdir())

from pathlib import Path

import pytest
from tests.cli.conftest import Call

from unclip.data.prepare.inspect import inspect_source
from unclip.data.source import open_source


@pytest.fixture
def drawn(call: Call, tmp_path: Path) -> Path:
    done = call("shapes", tmp_path / "drawn", "-n", 12, "--seed", 3)
    assert (done.code, done.out) == (0, f"12 images in {tmp_path / 'drawn'}\n")
    return tmp_path / "drawn"


def test_shapes_are_a_data_set(drawn: Path):
    report = inspect_source(open_source(drawn))
    assert (report.pairs, report.bad, report.image_size[1]) == (12, 0, (32, 32))


def test_shapes_depend_on_their_seed(call: Call, drawn: Path, tmp_path: Path):
    for name, seed in (("same", 3), ("other", 4)):
        call("shapes", tmp_path / name, "-n", 12, "--seed", seed)
    files = [(tmp_path / name / "metadata.jsonl").read_text(encoding="utf-8") for name in ("drawn", "same", "other")]
    assert files[0] == files[1] != files[2]
    assert (drawn / "000003.png").read_bytes() == (tmp_path / "same" / "000003.png").read_bytes()


def test_report(call: Call, drawn: Path):
    (drawn / "000001.png").write_bytes(b"no image")
    done = call("data", drawn)
    assert done.code == 0
    assert "11 pairs (image folder" in done.out
    assert "! 1 images cannot be read" in done.out


def test_pack(call: Call, drawn: Path, tmp_path: Path):
    done = call("pack", drawn, tmp_path / "shards", "--per-shard", 5)
    assert (done.code, done.out) == (0, f"12 pairs in {tmp_path / 'shards'}\n")
    assert len(list((tmp_path / "shards").iterdir())) == 3
    assert "12 pairs (webdataset shards)" in call("data", tmp_path / "shards").out


@pytest.mark.parametrize(
    "words, why",
    [
        (["shapes", "drawn"], "already and not empty"),
        (["shapes", "new", "-n", "0"], "at least 1"),
        (["pack", "drawn", "drawn"], "already and not empty"),
        (["data", "nowhere"], "no such file or folder"),
        (["data", "drawn", "--split", "half"], 'must be "train", "validation" or "test"'),
    ],
)
def test_errors(call: Call, drawn: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str):
    monkeypatch.chdir(drawn.parent)
    done = call(*words)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert why in done.err


def test_nothing_usable_is_a_failure(call: Call, drawn: Path):
    for picture in drawn.glob("*.png"):
        picture.write_bytes(b"no image")
    done = call("data", drawn)
    assert done.code == 1
    assert "not one usable pair" in done.out


def test_what_is_left_out_is_told(call: Call, drawn: Path):
    (drawn / "000001.heic").write_bytes(b"x")
    (drawn / "backup.tar").write_bytes(b"x")
    done = call("data", drawn)
    assert done.code == 0
    assert "! left out: 1 .heic images" in done.out
    assert "captions are taken from: metadata.jsonl; not from: 1 tar files (backup.tar)" in done.out
    assert "! 12 images are very few" in done.out


def test_names_and_columns(call: Call, drawn: Path, tmp_path: Path):
    (drawn / "metadata.jsonl").rename(drawn / "notes.txt")
    for n, picture in enumerate(sorted(drawn.glob("*.png"))):
        picture.rename(drawn / f"{'red' if n % 2 else 'blue'}_circle_{n:02d}.png")
    assert "--captions names takes them" in call("data", drawn).err
    assert "captions: 2 to 2 words, median 2; 2 different ones" in call("data", drawn, "--captions", "names").out
    done = call("pack", drawn, tmp_path / "shards", "--captions", "names")
    assert "12 pairs in" in done.out
    assert "2 different ones" in call("data", tmp_path / "shards").out


def test_pack_tells_what_it_leaves_out(call: Call, drawn: Path, tmp_path: Path):
    (drawn / "lonely.png").write_bytes((drawn / "000001.png").read_bytes())
    assert "! left out: 1 that cannot be used (lonely.png: no metadata line" in call("pack", drawn, tmp_path / "s").out

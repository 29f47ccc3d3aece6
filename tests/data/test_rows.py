"""The lines of a prepared data set are read where they are asked for."""

import hashlib
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from unclip.data.prepare.inspect import DataReport
from unclip.data.prepare.read import VERSION, load_prepared, npy_header, read_captions
from unclip.data.prepare.rows import BLOCK, Column, Lines, Texts

ROWS = [{"key": "a", "captions": ["ä\nb", "c"]}, {"key": "b", "captions": []}, {"key": "ü", "captions": ["d"]}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "captions.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_lines_by_their_numbers(file: Path) -> None:
    lines = Lines(file)
    assert [lines[row] for row in range(3)] == ROWS and lines[-1] == ROWS[2] and lines[np.int64(1)] == ROWS[1]
    assert lines.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(IndexError):
        lines[3]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert len(Lines(tmp_path / "x")) == 0


def test_lines_across_the_blocks_that_are_read(tmp_path: Path) -> None:
    texts = ["x" * (BLOCK - 20), "y" * 50, "z" * BLOCK]
    (tmp_path / "x").write_text("".join(json.dumps({"key": text}) + "\n" for text in texts), encoding="utf-8")
    assert list(Column(Lines(tmp_path / "x"), "key", str)) == texts


def test_a_column_is_a_sequence(file: Path) -> None:
    lines = Lines(file)
    keys, captions = Column(lines, "key", str), Column(lines, "captions", tuple)
    assert list(keys) == ["a", "b", "ü"] and keys[1:] == ["b", "ü"] and "ü" in keys and len(keys) == 3
    assert captions[0] == ("ä\nb", "c")
    texts = Texts(captions)
    assert list(texts) == list(texts) == ["ä\nb", "c", "d"]
    assert list(read_captions(file.parent)) == list(texts)


def test_to_open_many_images_takes_little_memory(tmp_path: Path) -> None:
    """100,000 captions, keys and digests as Python objects are 70 MB."""
    count = 100_000
    (tmp_path / "images.npy").write_bytes(npy_header((count, 1, 1, 3)) + bytes(3 * count))
    sound = hashlib.blake2b(bytes(3), digest_size=16).hexdigest()
    with (tmp_path / "captions.jsonl").open("w", encoding="utf-8") as lines:
        for row in range(count):
            about = {"key": f"folder/{row:08d}.png", "captions": [f"picture number {row}"], "digest": sound}
            lines.write(json.dumps(about) + "\n")
    about = {"version": VERSION, "size": 1, "count": count, "report": DataReport("folder", count).as_dict()}
    about["sha256"] = {"captions.jsonl": Lines(tmp_path / "captions.jsonl").sha256}
    (tmp_path / "prepared.json").write_text(json.dumps(about), encoding="utf-8")
    tracemalloc.start()
    prepared = load_prepared(tmp_path)
    last = prepared.captions[count - 1], prepared.keys[-1], prepared.images[count - 1].tolist()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last == (("picture number 99999",), "folder/00099999.png", [[[0, 0, 0]]])
    assert peak < 20e6, f"{peak / 1e6:.0f} MB"

"""A data set is known by what it holds: at once where nothing moved, by reading it where only place or time changed."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.data.conftest import noise, save

from unclip.data.item import Item
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.write import load_prepared, prepare
from unclip.data.source import open_source

Maker = Callable[..., Path]


@pytest.fixture
def moved(metadata_folder: Maker, tmp_path: Path) -> Path:
    """A copy, with other times, of the folder of which `prepared` is made."""
    folder = metadata_folder(12, damaged=1)
    prepare(open_source(folder), tmp_path / "prepared", 8, max_bad=0.5)
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    for file in copy.iterdir():
        os.utime(file, ns=(10**18, 10**18))
    return copy


def test_a_copy_is_the_same_and_known_at_once_from_then_on(moved: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared"
    before = (out / "images.npy").read_bytes()
    assert is_prepared(open_source(moved), out)
    for file in out.iterdir():
        if file.name in ("images.npy", "captions.jsonl"):
            os.utime(file, ns=(1, 1))
    assert len(prepare(open_source(moved), out, 8, max_bad=0.5)) == 11
    assert (out / "images.npy").stat().st_mtime_ns == 1, "prepared again"
    assert (out / "images.npy").read_bytes() == before


@pytest.mark.parametrize("change", ["pixel", "caption", "added", "removed"])
def test_any_difference_counts(moved: Path, tmp_path: Path, change: str) -> None:
    lines = (moved / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    if change == "pixel":
        (moved / "000.png").write_bytes(save(noise(12, 10, 99)))
    if change == "caption":
        lines[3] = lines[3].replace("image", "photograph")
    if change == "added":
        (moved / "zzz.png").write_bytes(save(noise(12, 10, 98)))
        lines.append(lines[0].replace("000.png", "zzz.png"))
    if change == "removed":
        del lines[0]
    (moved / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    about = (tmp_path / "prepared" / "prepared.json").read_bytes()
    assert not is_prepared(open_source(moved), tmp_path / "prepared")
    assert (tmp_path / "prepared" / "prepared.json").read_bytes() == about


def test_nothing_prepared(moved: Path, tmp_path: Path) -> None:
    assert not is_prepared(open_source(moved), tmp_path / "none")


@dataclass
class Long:
    """A source of many pairs that says how many were read."""

    first: int = 0
    kind: str = "counted"
    root: Path = Path("counted")
    reads: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        for n in range(200):
            self.reads.append(n)
            yield Item(f"{n}.png", lambda n=n: save(noise(9, 9, n + self.first)), (f"caption {n}",))

    def fingerprint(self) -> str:
        return str(self.first)


def test_other_data_of_the_same_names_are_not_read_to_their_end(tmp_path: Path) -> None:
    prepare(Long(), tmp_path / "out", 4)
    other = Long(first=7)
    assert not is_prepared(other, tmp_path / "out")
    assert len(other.reads) < 100
    assert len(load_prepared(tmp_path / "out")) == 200

"""Preparing a data set: what is kept, what is skipped, when it stops, and what a second call does."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests import arrays
from tests.data.conftest import encode, noise, save

from unclip.data.images.decode import decode
from unclip.data.item import Item
from unclip.data.layouts.pack import pack
from unclip.data.prepare import write as preparing
from unclip.data.prepare.inspect import DataReport, inspect_source, ordered
from unclip.data.prepare.read import Pictures
from unclip.data.prepare.splits import copies, split_rows
from unclip.data.prepare.write import load_prepared, prepare
from unclip.data.source import open_source

Maker = Callable[..., Path]


class Counted:
    """A source that counts how often it is read, and may die on the way."""

    kind, root = "counted", Path("counted")

    def __init__(self, n: int, die_at: int | None = None, version: str = "1") -> None:
        self.n, self.die_at, self.version, self.reads = n, die_at, version, 0

    def __iter__(self) -> Iterator[Item]:
        self.reads += 1
        for number in range(self.n):
            if number == self.die_at:
                raise KeyboardInterrupt
            yield Item(f"{number}.png", lambda number=number: save(noise(9, 9, number)), (f"caption {number}",))

    def fingerprint(self) -> str:
        return self.version


def test_rows_belong_together(metadata_folder: Maker, tmp_path: Path) -> None:
    folder = metadata_folder(40)
    found = prepare(open_source(folder), tmp_path / "out", 8)
    assert found.images.shape == (40, 8, 8, 3)
    assert (len(found), found.size) == (40, 8)
    for row, key in enumerate(found.keys):
        assert found.captions[row] == (f"image number {int(key[:3])}",)
        assert (found.images[row] == decode((folder / key).read_bytes(), 8)).all()
    assert found.report == replace(inspect_source(open_source(folder)), small=(0, 8))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "captions.jsonl", "images.npy", "prepared.json", "skipped.jsonl",
    ]  # fmt: skip


def test_the_second_time_nothing_is_read(tmp_path: Path) -> None:
    source = Counted(5)
    first = prepare(source, tmp_path / "out", 4)
    again = prepare(source, tmp_path / "out", 4)
    assert source.reads == 1
    assert list(again.keys) == list(first.keys)
    assert again.report == first.report
    assert prepare(source, tmp_path / "out", 6).size == 6
    assert len(prepare(Counted(7, version="2"), tmp_path / "out", 6)) == 7
    (tmp_path / "out" / "images.npy").write_bytes(b"damaged")
    assert len(prepare(Counted(7, version="2"), tmp_path / "out", 6)) == 7


def test_a_killed_preparation_is_done_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare(Counted(100, die_at=60), out, 4)
    with pytest.raises(ValueError, match="holds no prepared data set"):
        load_prepared(out)
    (out / "images.npy.tmp").write_bytes(b"left by a killed process, which cannot clean up")
    assert len(prepare(Counted(100), out, 4)) == 100
    assert not list(out.glob("*.tmp"))


class Watched(Counted):
    """A source whose images say how many of them were decoded; the 7th is damaged."""

    def __init__(self, n: int, stop_at: int | None = None, die_at: int | None = None) -> None:
        super().__init__(n, die_at)
        self.stop, self.stop_at, self.decoded = threading.Event(), stop_at, 0

    def __iter__(self) -> Iterator[Item]:
        for number, item in enumerate(super().__iter__()):
            yield replace(item, read=lambda number=number, read=item.read: self.look(number, read))

    def look(self, number: int, read: Callable[[], bytes]) -> bytes:
        self.decoded += 1
        if number == self.stop_at:
            self.stop.set()
        return b"" if number == 7 else read()


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("stop_at", [0, 7, 60])
def test_a_stopped_preparation_goes_on_where_it_was(tmp_path: Path, stop_at: int) -> None:
    whole = prepare(Watched(100), tmp_path / "whole", 4, max_bad=1.0)
    source = Watched(100, stop_at)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "cut", 4, max_bad=1.0, stop=source.stop)
    assert source.decoded < 100
    again = Watched(100)
    found = prepare(again, tmp_path / "cut", 4, max_bad=1.0, stop=again.stop)
    assert again.decoded < 100 and again.decoded + max(1, stop_at - 32) <= 100
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    assert found.report == whole.report and len(found) == 99


@pytest.mark.parametrize("cut", [0, 1, 5, 100, 4000, 10**6])
@pytest.mark.parametrize("name", ["images.npy.tmp", "progress.jsonl.tmp"])
def test_whatever_a_kill_leaves_of_the_files_the_result_is_equal(tmp_path: Path, name: str, cut: int) -> None:
    prepare(Watched(80), tmp_path / "whole", 4, max_bad=1.0)
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        prepare(Watched(80, die_at=79), out, 4, max_bad=1.0)
    left = (out / name).read_bytes()
    (out / name).write_bytes(left[:-cut] if cut else left + b"\0torn")
    source = Watched(80)
    prepare(source, out, 4, max_bad=1.0)
    assert source.decoded < 80 or cut > 100
    assert files(out) == files(tmp_path / "whole")


def test_another_way_to_prepare_does_not_go_on_with_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare(Counted(100, die_at=60), tmp_path, 4)
    source = Watched(100)
    prepare(source, tmp_path, 4, max_bad=1.0, background="black")
    assert source.decoded == 100


def test_a_flipped_bit_is_found_before_it_is_used(tmp_path: Path) -> None:
    prepare(Counted(30), tmp_path, 4)
    images = bytearray((tmp_path / "images.npy").read_bytes())
    images[128 + 48 * 17 + 5] ^= 1
    (tmp_path / "images.npy").write_bytes(images)
    found = load_prepared(tmp_path)
    assert found.images[:17].shape == (17, 4, 4, 3)
    for rows in (17, slice(10, 20), [3, 17], np.array([17]), slice(None, None, 17)):
        with pytest.raises(ValueError, match=r"images.npy: damaged: the image of 17.png is not .* delete this file"):
            found.images[rows]
    (tmp_path / "images.npy").unlink()
    assert prepare(Counted(30), tmp_path, 4).images[17].shape == (4, 4, 3)


@pytest.mark.parametrize("at", [3, 200, -5])
def test_a_flipped_bit_in_captions_is_found_when_they_are_opened(tmp_path: Path, at: int) -> None:
    prepare(Counted(30), tmp_path, 4)
    captions = bytearray((tmp_path / "captions.jsonl").read_bytes())
    captions[at] ^= 1
    (tmp_path / "captions.jsonl").write_bytes(captions)
    with pytest.raises(ValueError, match=r"captions.jsonl: SHA-256 .*, expected"):
        load_prepared(tmp_path)
    again = prepare(Counted(30), tmp_path, 4)
    assert list(again.captions) == [(f"caption {n}",) for n in range(30)]


def test_no_picture_is_read_to_open_and_split_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(Counted(30), tmp_path, 4)
    monkeypatch.setattr(Pictures, "__getitem__", lambda self, rows: pytest.fail("read"))
    found = load_prepared(tmp_path)
    split_rows(found.keys, copies(found), 0.1)


def icons(folder: Path, colour: tuple[int, ...], n: int = 4) -> Path:
    """White (or other) discs on nothing, each with its caption."""
    folder.mkdir()
    for number in range(n):
        icon = Image.new("RGBA", (16, 16), (*colour, 0))
        ImageDraw.Draw(icon).ellipse((2, 2, 9 + number, 13), fill=(*colour, 255))
        icon.save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"icon {number}", encoding="utf-8")
    return folder


def test_white_icons_on_nothing_are_told_and_kept_on_a_background(tmp_path: Path) -> None:
    source = open_source(icons(tmp_path / "icons", (255, 255, 255)))
    found = prepare(source, tmp_path / "white", 32)
    told = "\n".join(found.report.lines())
    assert "! 4 of 4 images come out as one flat colour" in told and "--background black" in told
    assert told.replace("enlarged", "") == "\n".join(inspect_source(source).lines()).replace("enlarged", "")
    dark = prepare(source, tmp_path / "black", 32, background="black")
    assert "flat colour" not in "\n".join(dark.report.lines()) and np.ptp(dark.images[0]) > 200
    assert prepare(source, tmp_path / "black", 32).images[0].min() == 255, "prepared anew on another background"
    other = inspect_source(open_source(icons(tmp_path / "dark", (0, 0, 0))), background="black")
    assert "--background white" in "\n".join(other.lines())


def test_small_pictures_and_guesses_are_told(tmp_path: Path) -> None:
    folder = icons(tmp_path / "icons", (255, 0, 0))
    Image.fromarray(np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)).save(folder / "0.png")
    told = "\n".join(prepare(open_source(folder), tmp_path / "out", 32).report.lines())
    assert "! 4 of 4 images are smaller than 32 pixels and are enlarged to them" in told
    assert "! 1 image: its gray values end at or below 4095, which is taken as white" in told
    assert "enlarged" not in "\n".join(prepare(open_source(folder), tmp_path / "16", 16).report.lines())


def test_damaged_files_are_skipped_and_too_many_stop_it(metadata_folder: Maker, tmp_path: Path) -> None:
    folder, out = metadata_folder(40, damaged=4), tmp_path / "out"
    with pytest.raises(
        ValueError, match=r"(?s)4 of 40 items \(10.0 %\).*036.png.*038.png.*skipped.jsonl.*--max-bad 1"
    ) as e:
        prepare(open_source(folder), out, 8)
    assert "039.png" not in str(e.value)
    skipped = [json.loads(line) for line in (out / "skipped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["key"] for row in skipped] == ["036.png", "037.png", "038.png", "039.png"]
    assert all("damaged" in row["reason"] for row in skipped)
    with pytest.MonkeyPatch.context() as patch:  # what was decoded is not decoded again
        patch.setattr(preparing, "examine", lambda *given: pytest.fail("decoded"))
        assert len(prepare(open_source(folder), out, 8, max_bad=0.1)) == 36
    with pytest.raises(ValueError, match="4 of 40"):  # also when it is opened again
        prepare(open_source(folder), out, 8)


def test_not_one_pair(metadata_folder: Maker, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not one of 2 items is a usable pair"):
        prepare(open_source(metadata_folder(2, damaged=2)), tmp_path / "out", 8, max_bad=1.0)
    with pytest.raises(ValueError, match=r"max_bad is 2.0"):
        prepare(Counted(1), tmp_path / "out", 8, max_bad=2.0)


def test_another_version_is_refused(tmp_path: Path) -> None:
    prepare(Counted(2), tmp_path, 4)
    about = json.loads((tmp_path / "prepared.json").read_text(encoding="utf-8"))
    (tmp_path / "prepared.json").write_text(json.dumps(about | {"version": 99}), encoding="utf-8")
    with pytest.raises(ValueError, match="format version 99"):
        load_prepared(tmp_path)
    (tmp_path / "prepared.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        load_prepared(tmp_path)


def test_pixels_need_no_decoding(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    captions = [("a red dot",), ("a", "b"), ("¡ü! \U0001f600",)]
    found = arrays.prepared(tmp_path, list(images), captions)
    assert (found.images[:] == images).all()
    assert list(found.captions) == captions
    assert (found.report.kind, found.report.pairs, found.report.image_size[1]) == ("pictures", 3, (4, 4))


def test_pixels_of_another_form_are_scaled_or_refused(tmp_path: Path) -> None:
    gray, clear = np.full((6, 8), 99, dtype=np.uint8), np.zeros((6, 8, 4), dtype=np.uint8)
    wrong = [np.zeros((6, 8, 3)), np.zeros((6, 8, 2), dtype=np.uint8), np.zeros((0, 8, 3), dtype=np.uint8)]
    source = arrays.Arrays([gray, clear, *wrong], [("a",)] * 5)
    found = prepare(source, tmp_path, 4, max_bad=1.0)
    assert (found.images[0] == 99).all() and (found.images[1] == 255).all() and len(found) == 2
    assert "2: its pixels are float64 [6, 8, 3]; they must be uint8" in found.report.problems[0]
    assert "empty" in found.report.problems[2]
    with pytest.raises(ValueError, match="0: is in memory; only images that are files can be packed"):
        pack(source, tmp_path / "shards")


def test_report(tmp_path: Path) -> None:
    for name, data in {"a": encode(), "b": encode(), "c": encode(size=(20, 30)), "d": b"?", "e": encode()}.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        if name != "e":
            (tmp_path / f"{name}.txt").write_text("a red wall" if name < "c" else "wall", encoding="utf-8")
    (tmp_path / "f.txt").write_text("nothing", encoding="utf-8")
    report = inspect_source(open_source(tmp_path))
    assert (report.pairs, report.duplicates, report.unreadable, report.orphans, report.caption_orphans) == (
        3,
        1,
        1,
        1,
        1,
    )
    assert (report.distinct_captions, report.caption_words) == (2, (1, 3, 3))
    assert report.image_size == ((9, 7), (9, 7), (20, 30))
    text = "\n".join(report.lines())
    for words in (
        "3 pairs",
        "same bytes",
        "have no caption",
        "lead to no image",
        "cannot be read",
        "d.png: no image",
    ):
        assert words in text
    assert DataReport.from_dict(json.loads(json.dumps(report.as_dict()))) == report
    assert inspect_source(open_source(tmp_path), limit=2).pairs == 2


def test_pack_reads_back_equal(metadata_folder: Maker, tmp_path: Path) -> None:
    source = open_source(metadata_folder(7))
    assert pack(source, tmp_path / "one", per_shard=3) == pack(source, tmp_path / "two", per_shard=3) == 7
    shards = sorted((tmp_path / "one").iterdir())
    assert [path.name for path in shards] == ["shard-00000.tar", "shard-00001.tar", "shard-00002.tar"]
    assert all(path.read_bytes() == (tmp_path / "two" / path.name).read_bytes() for path in shards)
    back = [(item.read(), item.captions, item.problem) for item in open_source(tmp_path / "one")]
    assert back == [(item.read(), item.captions, None) for item in source]
    with pytest.raises(ValueError, match="already and not empty"):
        pack(source, tmp_path / "one")
    with pytest.raises(ValueError, match="no usable pair"):
        pack(Counted(0), tmp_path / "three")
    assert not (tmp_path / "three").exists()


def test_ordered_keeps_order_and_passes_errors_on() -> None:
    assert list(ordered(lambda x: x * 2, range(100), ahead=3)) == list(range(0, 200, 2))
    with pytest.raises(ZeroDivisionError):
        list(ordered(lambda x: 1 // x, [1, 0, 1]))


def test_as_many_are_decoded_at_once_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    together = threading.Barrier(4)
    assert sorted(ordered(lambda _: together.wait(20), range(8))) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_pictures_without_captions_count_where_none_is_wanted(metadata_folder: Maker, tmp_path: Path) -> None:
    folder = metadata_folder(4, damaged=1)
    save_to = folder / "orphan.png"
    save_to.write_bytes(save(noise(12, 10, 99)))
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('\n{"file_name": "gone.png", "text": "no picture"}')
    report = inspect_source(open_source(folder), captioned=False)
    assert (report.pairs, report.orphans, report.caption_orphans, report.unreadable) == (4, 0, 1, 1)
    kept = prepare(open_source(folder), tmp_path / "out", 8, max_bad=1.0, captioned=False)
    assert dict(zip(kept.keys, kept.captions, strict=True))["orphan.png"] == ()
    assert len(prepare(open_source(folder), tmp_path / "captioned", 8, max_bad=1.0)) == 3

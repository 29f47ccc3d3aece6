"""Shards as a stream: the pictures of the prepared path, in an order that needs no pass over everything."""

import io
import itertools
import json
import os
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unclip.data.item import Item
from unclip.data.layouts.shards import ShardSource
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.inspect import Examined, examine
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.source import open_source
from unclip.data.stream import course, reader
from unclip.data.stream.course import Course
from unclip.data.stream.index import index_shard, read_sample
from unclip.data.stream.reader import Stream
from unclip.data.stream.sample import Sample, choose, is_large, splits_of_sample, why_not
from unclip.data.stream.shards import Shards, open_shards

SIZE, BATCH = 8, 4


def picture(number: int, side: int = 10) -> bytes:
    """One of its own for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out := io.BytesIO(), "PNG")
    return out.getvalue()


def tar(path: Path, files: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def shards(root: Path, count: int = 6, each: int = 5) -> Path:
    """shard-0.tar, ...: pictures with captions that name them."""
    for shard in range(count):
        numbers = range(shard * each, (shard + 1) * each)
        files = [(f"{n:03d}.png", picture(n)) for n in numbers], [(f"{n:03d}.txt", b"no %d" % n) for n in numbers]
        tar(root / f"shard-{shard}.tar", dict(itertools.chain(*zip(*files, strict=True))))
    return root


def source_of(root: Path) -> ShardSource:
    found = open_source(root)
    assert isinstance(found, ShardSource)
    return found


def look(item: Item) -> Examined:
    return examine(item, SIZE)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of two shards, and few samples of each that is looked at."""
    monkeypatch.setattr(course, "MIXED", 8)
    monkeypatch.setattr(reader, "AHEAD", 8)


@pytest.fixture
def begun(tmp_path: Path, small: None) -> tuple[Shards, Prepared]:
    """Six shards of which one each is held out for validation and the test; all of them prepared, too."""
    source = source_of(shards(tmp_path / "data"))
    chosen = choose(source, tmp_path / "run", 0.05)
    chosen.keep()
    return chosen, prepare(source, tmp_path / "all", SIZE)


def keys(stream: Stream, steps: range, mine: slice = slice(None)) -> list[str]:
    return [found.item.key for step in steps for found in stream.samples(step, mine)]


def test_a_shard_is_found_by_its_headers_as_it_is_read_from_end_to_end(tmp_path: Path) -> None:
    files = {
        "a/1.jpg": picture(1),
        "a/1.json": b'{"text": ["one", "uno"]}',
        "a/1.npy": b"an array",
        "cat.1.png": picture(2),
        "cat.1.txt": b"first",
        "cat.2.png": picture(3),
        "cat.2.txt": b"second",
        "n" * 180 + ".png": picture(4),  # a name that needs a header of its own
        "n" * 180 + ".cls": b"7",
        "no.png": picture(5),
        "bad.png": b"no picture",
        "bad.txt": b"bad",
        "words.txt": b"of nothing",
        ".hidden.png": picture(6),
    }
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tar(tmp_path / f"{form}.tar", files, form)
        with tarfile.open(path, "a") as out:  # twice, and a link
            info = tarfile.TarInfo("a/1.jpg")
            info.size = len(picture(9))
            out.addfile(info, io.BytesIO(picture(9)))
            info = tarfile.TarInfo("link.png")
            info.type, info.linkname = tarfile.SYMTYPE, "a/1.jpg"
            out.addfile(info)
        source = source_of(path)
        wanted = [item for item in source if item.has_picture and item.key.partition("/")[2] not in ("link.png",)]
        found = index_shard(path)
        read = [read_sample(path, source.files[0], path.name, row, "") for row in found.rows]
        again = [item for item in wanted if item.problem is None or "twice" not in item.problem]
        assert [(i.key, i.captions, i.problem) for i in read] == [(i.key, i.captions, i.problem) for i in again]
        assert [i.read() for i in read] == [i.read() for i in again] and len(read) == 6
        assert not found.cut


def test_every_sample_comes_once_an_epoch_and_nothing_is_counted_in_advance() -> None:
    counts, asked = [3, 0, 4000, 9000, 1, 5000, 8000], list[int]()

    def count(shard: int) -> int:
        asked.append(shard)
        return counts[shard]

    order = Course(len(counts), count, seed=3)
    order.at(0)
    first = set(asked)
    assert len(first) < len(counts)
    total, seen = sum(counts), list[tuple[int, int]]()
    for position in range(2 * total):
        window, place = order.at(position)
        assert window.epoch == position // total
        if position % 97 == 0 or position in (0, total - 1, total):
            seen.append(window.sample(place))
    jump = Course(len(counts), counts.__getitem__, seed=3)
    window, place = jump.at(2 * total - 1)
    again, same = order.at(2 * total - 1)
    assert (window, place) == (again, same)
    for epoch in range(2):
        every = [order.at(epoch * total + n) for n in range(total)]
        rows = {window.sample(place) for window, place in every}
        assert rows == {(shard, row) for shard, n in enumerate(counts) for row in range(n)}
    assert [order.order(0), order.order(1)] == [jump.order(0), jump.order(1)] and order.order(0) != order.order(1)


def test_shards_without_an_image_are_no_endless_search() -> None:
    with pytest.raises(ValueError, match="the 3 shards to train on hold no sample"):
        Course(3, lambda shard: 0, seed=0).at(0)


def test_a_stream_gives_the_prepared_pictures_and_goes_on_where_it_was(begun: tuple[Shards, Prepared]) -> None:
    chosen, full = begun
    row = {key: n for n, key in enumerate(full.keys)}
    stream, steps, seen = Stream(chosen, look, BATCH, seed=1), range(15), list[str]()
    for step in steps:
        for found in stream.samples(step, slice(None)):
            n = row[found.item.key]
            assert found.pixels is not None and (found.pixels == full.images[n]).all()
            assert found.item.captions == full.captions[n]
            seen.append(found.item.key)
    held = {name for split in ("validation", "test") for name in chosen.looked[split]}
    wanted = sorted(key for key in full.keys if key.partition("/")[0] not in held)
    assert len(held) == 2 and len(wanted) == 20
    for epoch in range(3):
        assert sorted(seen[epoch * 20 : (epoch + 1) * 20]) == wanted
    assert seen[:20] != seen[20:40] and stream.news() == []
    kept = open_shards(chosen.place)
    assert kept is not None and kept.counts == chosen.counts and kept.images == 20
    for fresh in (kept, Shards(kept.place, kept.root, kept.files, "", kept.looked, 20)):  # with counts, and without
        assert keys(Stream(fresh, look, BATCH, seed=1), range(9, 15)) == seen[36:]
    halves = [keys(Stream(kept, look, BATCH, 1), range(1, 2), slice(2 * n, 2 * n + 2)) for n in range(2)]
    assert halves[0] + halves[1] == seen[4:8]
    assert [found.item.key for found in stream.again(2, [3, 0])] == [seen[11], seen[8]]
    assert keys(Stream(kept, look, BATCH, seed=2), steps) != seen


def test_the_shards_that_are_held_out_make_the_splits(begun: tuple[Shards, Prepared], tmp_path: Path) -> None:
    chosen, _ = begun
    sample = prepare(Sample(chosen), chosen.place, SIZE)
    splits = splits_of_sample(sample, chosen)
    names = [key.partition("/")[0] for key in sample.keys]
    for split in ("validation", "test"):
        assert {names[row] for row in splits.of(split).tolist()} == set(chosen.looked[split])
    assert len(splits.train) == 20
    more = choose(source_of(shards(tmp_path / "many", 20, 1)), tmp_path / "other", 0.2)
    assert [len(more.looked[split]) for split in ("validation", "test", "train")] == [4, 4, 12]


def test_what_cannot_be_streamed_says_so(tmp_path: Path) -> None:
    few = source_of(shards(tmp_path / "two", 2))
    assert "2 shards are too few, 3 would do" in why_not(few)
    packed = tmp_path / "packed"
    shards(packed)
    os.rename(packed / "shard-3.tar", packed / "shard-3.tar.gz")
    assert "shard-3.tar.gz is compressed" in why_not(source_of(packed))
    assert "only tar shards" in why_not(object())
    assert not is_large(source_of(shards(tmp_path / "some")))


def test_a_broken_picture_leaves_its_place_to_the_next_and_is_named(begun: tuple[Shards, Prepared]) -> None:
    chosen, _ = begun
    sound = keys(Stream(chosen, look, BATCH, seed=1), range(5))
    broken = sound[6]

    def fails(item: Item) -> Examined:
        return Examined(item, problem="is torn") if item.key == broken else look(item)

    stream = Stream(chosen, fails, BATCH, seed=1)
    found = keys(stream, range(5))
    window, place = Course(4, lambda shard: 5, seed=1).at(6)
    shard, row = window.sample((place + 1) % len(window))
    heir = f"{chosen.trained[shard].name}/{5 * int(chosen.trained[shard].name[6]) + row:03d}.png"
    assert found == [*sound[:6], heir, *sound[7:]]
    assert stream.news() == [f"! {broken}: is torn; the next image takes its place"] and stream.news() == []
    keys(stream, range(5, 10))
    [line] = (chosen.place / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"key": broken, "reason": "is torn"}
    other = Stream(chosen, fails, BATCH, seed=1)
    assert keys(other, range(1, 2), slice(2, 4)) == found[6:8]
    assert len((chosen.place / "skipped.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_too_many_broken_pictures_end_it(begun: tuple[Shards, Prepared], monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, _ = begun
    monkeypatch.setattr(reader, "ENOUGH", 10)
    odd = {f"{n:03d}.png" for n in range(0, 30, 2)}

    def fails(item: Item) -> Examined:
        return Examined(item, problem="is torn") if item.key.partition("/")[2] in odd else look(item)

    assert len(keys(Stream(chosen, fails, BATCH, 1, max_bad=1.0), range(10))) == 40
    with pytest.raises(ValueError, match="images of the stream cannot be used") as told:
        keys(Stream(chosen, fails, BATCH, 1, max_bad=0.1), range(10))
    assert "--max-bad 1" in str(told.value) and "skipped.jsonl" in str(told.value)
    with pytest.raises(ValueError, match="not one of the images can be used, as is torn"):
        keys(Stream(chosen, lambda item: Examined(item, problem="is torn"), BATCH, 1), range(1))


def test_a_window_of_no_use_leaves_its_places_to_the_next(
    begun: tuple[Shards, Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards may lie in the order of their sources, and the images of one source all be too small."""
    monkeypatch.setattr(course, "MIXED", 1)
    chosen, _ = begun
    sound = keys(Stream(chosen, look, BATCH, seed=1), range(15))
    _, second, third, _ = dict.fromkeys(key.partition("/")[0] for key in sound[:20])
    looks = list[str]()

    def fails(item: Item) -> Examined:
        looks.append(item.key)
        torn = item.key.partition("/")[0] in (second, third)
        return Examined(item, problem="is torn") if torn else look(item)

    stream = Stream(chosen, fails, BATCH, seed=1)
    found = keys(stream, range(15))
    assert found[:20] == [*sound[:5], *sound[15:20] * 2, *sound[15:20]]
    assert not any(key.startswith((second, third)) for key in found) and len(found) == 60
    whole = "not one of 5 images can be used, as is torn; the next shards take their place"
    assert sum(whole in line for line in stream.news()) >= 2
    assert keys(Stream(chosen, fails, BATCH, seed=1), range(2, 15), slice(1, 3)) == [
        key for step in range(2, 15) for key in found[BATCH * step + 1 : BATCH * step + 3]
    ]
    assert len({key for key in looks if key.startswith((second, third))}) == 10


def test_a_shard_that_is_cut_short_gives_what_is_whole(tmp_path: Path, small: None) -> None:
    root = shards(tmp_path / "data", 5)
    chosen = choose(source_of(root), tmp_path / "run", 0.05)
    cut = root / chosen.trained[0].name
    whole = cut.read_bytes()
    third = index_shard(cut).rows[2]
    for end in (json.loads(third)[0][2] + 20, json.loads(third)[0][2] - 512):  # in a picture, and between two
        cut.write_bytes(whole[:end])
        again = choose(source_of(root), tmp_path / "run", 0.05)
        stream = Stream(again, look, BATCH, seed=0)
        seen = keys(stream, range(4))
        assert sum(key.startswith(cut.name) for key in seen[: 4 * BATCH]) >= 2
        assert f"{cut.name}/{json.loads(third)[0][0]}" not in seen
        if cut.name not in again.looked["train"]:
            assert any("cut short" in line and "2 images" in line for line in stream.news())
        (tmp_path / "run" / "counts.jsonl").unlink()


def test_a_shard_that_is_gone_or_another_is_named(begun: tuple[Shards, Prepared]) -> None:
    chosen, _ = begun
    path = chosen.path(chosen.trained[0].name)
    whole, times = path.read_bytes(), os.stat(path)
    path.unlink()
    with pytest.raises(ValueError, match="cannot be read .*put it back") as told:
        keys(Stream(chosen, look, BATCH, 0), range(10))
    assert str(path) in str(told.value)
    path.write_bytes(whole)  # the same, with another time
    with pytest.raises(ValueError, match="has changed while the run reads it"):
        keys(Stream(chosen, look, BATCH, 0), range(10))
    moved = chosen.moved(source_of(chosen.root))
    assert moved is not None and len(keys(Stream(moved, look, BATCH, 0), range(10))) == 40
    with tarfile.open(fileobj=io.BytesIO(whole)) as old, tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out:
        for info in old.getmembers():
            content = old.extractfile(info)
            assert content is not None
            info.name = f"x{info.name[1:]}"
            out.addfile(info, content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert os.path.getsize(path) == len(whole)
    with pytest.raises(ValueError, match="holds other files than when the run began"):
        keys(Stream(chosen, look, BATCH, 0), range(10))


def test_a_run_knows_its_shards_again_where_they_were_copied(begun: tuple[Shards, Prepared], tmp_path: Path) -> None:
    chosen, _ = begun
    prepare(Sample(chosen), chosen.place, SIZE)
    assert is_prepared(source_of(chosen.root), chosen.place)
    time.sleep(0.01)
    copy = shards(tmp_path / "copy")
    assert is_prepared(source_of(copy), chosen.place)
    kept = open_shards(chosen.place)
    assert kept is not None and kept.root == copy
    assert keys(Stream(kept, look, BATCH, 0), range(3)) == keys(Stream(chosen, look, BATCH, 0), range(3))
    (copy / "shard-9.tar").write_bytes((copy / "shard-0.tar").read_bytes())
    assert not is_prepared(source_of(copy), chosen.place)
    assert not is_prepared(source_of(shards(tmp_path / "other", each=4)), chosen.place)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version": 2}', '{"version": 1, "files": [["a", "b", 1]]}'])
def test_a_damaged_record_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "stream.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="stream.json"):
        open_shards(tmp_path)
    assert open_shards(tmp_path / "none") is None

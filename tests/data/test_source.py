"""Every layout, read from tiny data, with what people get wrong in each."""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

import pytest
from tests.data.conftest import encode

from unclip.data.item import Item
from unclip.data.source import open_source

RED = encode()


def write(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def usable(path: Path, split: str = "train") -> dict[str, tuple[str, ...]]:
    return {item.key: item.captions for item in open_source(path, split) if item.problem is None}


def problems(path: Path) -> dict[str, str]:
    return {item.key: item.problem for item in open_source(path) if item.problem is not None}


def jsonl(*rows: dict[str, object] | str) -> str:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)


def test_metadata_jsonl_with_lists_sub_folders_and_repeated_lines(tmp_path: Path) -> None:
    write(tmp_path, {"1.png": RED, "2.JPG": RED, "sub/3.png": RED, ".hidden.png": RED})
    lines = jsonl({"file_name": "2.JPG", "text": ["a", "b"]}, "", {"file_name": "1.png", "caption": " two\n words "})
    write(tmp_path, {"metadata.jsonl": "\ufeff" + lines + "\n" + jsonl({"file_name": "2.JPG", "text": "c"})})
    write(tmp_path, {"sub/metadata.csv": 'file_name,text\n3.png,"a, quoted"\n'})
    assert usable(tmp_path) == {"2.JPG": ("a", "b", "c"), "1.png": ("two words",), "sub/3.png": ("a, quoted",)}
    assert problems(tmp_path) == {}
    assert next(iter(open_source(tmp_path))).read() == RED


def test_what_is_wrong_with_metadata_is_said_line_by_line(tmp_path: Path) -> None:
    lines = [b'{"file_name": "1.png", "text": ""}', b"{broken", b'{"file_name": "../1.png", "text": "x"}', b"[1]"]
    lines += [b'{"text": "x"}', b'{"file_name": "1.png", "text": "caf\xe9"}']
    write(tmp_path, {"1.png": RED, "lonely.png": RED, "metadata.jsonl": b"\n".join(lines)})
    found = problems(tmp_path)
    assert usable(tmp_path) == {}
    assert 'no "text"' in found["1.png"]
    assert "no metadata line" in found["lonely.png"]
    expected = {2: "not JSON", 3: "no image named", 4: "no JSON object", 5: "file_name", 6: "not UTF-8"}
    for line, words in expected.items():
        assert words in found[f"metadata.jsonl:{line}"]
    with_picture = {item.key for item in open_source(tmp_path) if item.has_picture}
    assert with_picture == {"1.png", "lonely.png"}


def test_metadata_csv_and_its_faults(tmp_path: Path) -> None:
    write(tmp_path, {"1.png": RED, "2.png": RED, "metadata.csv": b"file_name,text\n1.png,ok\n2.png,caf\xe9\n"})
    assert usable(tmp_path) == {"1.png": ("ok",)}
    assert "not UTF-8" in problems(tmp_path)["metadata.csv:3"]
    write(tmp_path, {"metadata.csv": "image,text\n1.png,ok\n"})
    with pytest.raises(ValueError, match="it needs file_name and text"):
        list(open_source(tmp_path))


def test_composed_and_decomposed_names_are_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, {"cafe\u0301.png": RED, "metadata.jsonl": jsonl({"file_name": "caf\u00e9.png", "text": "x"})})
    assert list(usable(tmp_path).values()) == [("x",)]


def test_pairs(tmp_path: Path) -> None:
    write(tmp_path, {"a.png": RED, "a.txt": "one\n\ntwo \n", "b/c.JPEG": RED, "b/c.TXT": "three"})
    write(tmp_path, {"README.txt": "about", "empty.png": RED, "empty.txt": " \n", "bad.png": RED, "bad.txt": b"\xff"})
    write(tmp_path, {"orphan.png": RED, "nothing.txt": "a caption"})
    assert usable(tmp_path) == {"a.png": ("one", "two"), "b/c.JPEG": ("three",)}
    found = problems(tmp_path)
    assert set(found) == {"empty.png", "bad.png", "orphan.png", "nothing.txt"}
    assert "is empty" in found["empty.png"]
    assert "not UTF-8" in found["bad.png"]
    assert [item.has_picture for item in open_source(tmp_path) if item.key == "nothing.txt"] == [False]


def test_class_folders(tmp_path: Path) -> None:
    write(tmp_path, {"golden_retriever/1.png": RED, "x/fire_truck/1.webp": RED, "top.png": RED})
    assert usable(tmp_path) == {"golden_retriever/1.png": ("golden retriever",), "x/fire_truck/1.webp": ("fire truck",)}
    assert "no class folder" in problems(tmp_path)["top.png"]


def test_split_folders_are_told_from_classes(tmp_path: Path) -> None:
    write(tmp_path / "split", {"train/cat/1.png": RED, "test/cat/2.png": RED})
    assert list(usable(tmp_path / "split")) == ["train/cat/1.png"]
    assert list(usable(tmp_path / "split", "validation")) == ["test/cat/2.png"]
    write(tmp_path / "classes", {"train/1.png": RED, "bus/2.png": RED})
    assert usable(tmp_path / "classes") == {"bus/2.png": ("bus",), "train/1.png": ("train",)}


def parquet(path: Path, rows: list[dict[str, object]], features: dict[str, object] | None = None) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_pylist(rows)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write_table(table, path)


def picture(data: bytes | None = RED) -> dict[str, object]:
    return {"bytes": data, "path": "1.png"}


def test_parquet_with_text(tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", [{"image": picture(), "text": "a"}, {"image": picture(None), "text": "b"}])
    parquet(tmp_path / "more" / "train-2.parquet", [{"image": picture(), "text": ""}])
    assert usable(tmp_path / "train.parquet") == {"train.parquet#0": ("a",)}
    assert open_source(tmp_path).kind == "parquet"
    found = problems(tmp_path)
    assert "no image bytes" in found["train.parquet#1"]
    assert "no caption" in found["more/train-2.parquet#0"]
    assert next(item.read() for item in open_source(tmp_path) if not item.problem) == RED


def test_parquet_with_class_labels(tmp_path: Path) -> None:
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "fire_truck"]}}
    rows = [{"img": picture(), "label": 1}, {"img": picture(), "label": -1}]
    parquet(tmp_path / "x.parquet", rows, features)
    assert usable(tmp_path) == {"x.parquet#0": ("fire truck",)}
    parquet(tmp_path / "x.parquet", rows)
    with pytest.raises(ValueError, match=r"x\.parquet.*needs a column text, or a label"):
        list(open_source(tmp_path))


def test_parquet_splits(tmp_path: Path) -> None:
    for name in ("train-00000-of-00001", "validation-00000-of-00001", "test-00000-of-00001"):
        parquet(tmp_path / "data" / f"{name}.parquet", [{"image": picture(), "text": name.split("-")[0]}])
    assert list(usable(tmp_path).values()) == [("train",)]
    assert list(usable(tmp_path, "validation").values()) == [("validation",)]
    (tmp_path / "data" / "validation-00000-of-00001.parquet").unlink()
    assert list(usable(tmp_path, "validation").values()) == [("test",)]
    (tmp_path / "data" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(ValueError, match='no file is named after the split "validation"'):
        open_source(tmp_path, "validation")


def test_parquet_as_metadata(tmp_path: Path) -> None:
    write(tmp_path, {"1.png": RED})
    parquet(tmp_path / "metadata.parquet", [{"file_name": "1.png", "text": ["a", "b"]}])
    assert usable(tmp_path) == {"1.png": ("a", "b")}


def test_damaged_parquet_and_missing_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"x.parquet": b"PAR1 no more"})
    with pytest.raises(ValueError, match=r"x\.parquet.*download it again"):
        list(open_source(tmp_path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"pip install pyarrow"):
        list(open_source(tmp_path))


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {
    "./1.jpg": RED,
    "./._1.jpg": b"of a Mac",
    "./1.txt": b"one\ntwo",
    "d/2.json": b'{"caption": "three"}',
    "d/2.mask.png": b"not this one",
    "d/2.png": RED,
    "3.png": RED,
    "4.txt": b"four",
    "5.png": RED,
    "5.json": b"{",
    "v.1.png": RED,
    "v.1.txt": b"five",
    "v.2.png": RED,
    "v.2.txt": b"six",
}


@pytest.mark.parametrize(("name", "mode"), [("s.tar", "w"), ("s.tar.gz", "w:gz"), ("s.tgz", "w:gz")])
def test_shards(tmp_path: Path, name: str, mode: str) -> None:
    path = tar(tmp_path / name, MEMBERS, mode)
    good = {"1.jpg": ("one", "two"), "d/2.png": ("three",), "v.1.png": ("five",), "v.2.png": ("six",)}
    assert usable(path) == usable(tmp_path) == {f"{name}/{key}": captions for key, captions in good.items()}
    found = problems(tmp_path)
    assert set(found) == {f"{name}/3.png", f"{name}/4.txt", f"{name}/5.png"}
    assert "not JSON" in found[f"{name}/5.png"]


@pytest.mark.parametrize(("name", "mode"), [("s.tar", "w"), ("s.tar.gz", "w:gz")])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.95])
def test_a_shard_that_was_cut_short_is_not_taken_for_a_whole_one(
    tmp_path: Path, name: str, mode: str, keep: float
) -> None:
    members = {f"{number}.{end}": os.urandom(900) for number in range(20) for end in ("png", "txt")}
    path = tar(tmp_path / name, members, mode)
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ValueError, match=rf"{name}: is damaged or cut short"):
        list(open_source(path))


def test_what_is_no_data_set(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, write(tmp_path / "notes", {"a.md": "x"}) / "a.md"):
        with pytest.raises(ValueError, match=r"(?s)metadata\.jsonl.*webdataset shards"):
            open_source(path)
    write(tmp_path / "bare", {"images/1.png": RED, "images/2.png": RED})
    with pytest.raises(ValueError, match="2 images but no captions; .* --model ddpm"):
        open_source(tmp_path / "bare")
    with pytest.raises(ValueError, match="unpack the archive"):
        open_source(write(tmp_path, {"a.zip": "x"}) / "a.zip")
    with pytest.raises(ValueError, match='split is "dev"'):
        open_source(tmp_path, "dev")


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    write(tmp_path, {"cat/1.png": RED, "dog/2.png": RED})
    before = open_source(tmp_path).fingerprint()
    assert before == open_source(tmp_path).fingerprint()
    os.utime(tmp_path / "dog/2.png", ns=(0, 0))
    assert open_source(tmp_path).fingerprint() != before


def test_a_link_that_leads_back_up_ends(tmp_path: Path) -> None:
    write(tmp_path, {"cat/1.png": RED})
    (tmp_path / "cat" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert list(usable(tmp_path)) == ["cat/1.png"]


def test_order_is_the_same_every_time(tmp_path: Path) -> None:
    write(tmp_path, {f"class_{number % 3}/{number}.png": RED for number in range(20)})
    keys = [item.key for item in open_source(tmp_path)]
    assert keys == sorted(keys) == [item.key for item in open_source(tmp_path)]
    assert all(isinstance(item, Item) for item in open_source(tmp_path))


def test_pictures_alone_are_a_data_set_where_no_caption_is_wanted(tmp_path: Path) -> None:
    source = open_source(write(tmp_path, {"images/1.png": RED, "images/2.png": RED, "x.md": "x"}), captioned=False)
    assert source.kind == "images without captions"
    assert [(item.key, item.captions, item.problem) for item in source] == [
        ("images/1.png", (), None),
        ("images/2.png", (), None),
    ]
    classes = open_source(write(tmp_path / "sorted", {"cat/1.png": RED, "dog/1.png": RED}), captioned=False)
    assert classes.kind == "class folders"

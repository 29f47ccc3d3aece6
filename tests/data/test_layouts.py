"""Nothing that lies in a data set is dropped or changed without a word."""

import io
import json
import os
import tarfile
import unicodedata
from pathlib import Path

import pytest
from tests.data.test_source import RED, jsonl, parquet, picture, problems, tar, write

from unclip.data.item import FileSource
from unclip.data.layouts.kinds import Captions
from unclip.data.prepare.inspect import inspect_source
from unclip.data.source import open_source


def opened(path: Path, captions: Captions = "auto", column: str = "", split: str = "train") -> FileSource:
    source = open_source(path, split, captions=captions, column=column)
    assert isinstance(source, FileSource)
    return source


def captions(path: Path, how: Captions = "auto", column: str = "") -> dict[str, tuple[str, ...]]:
    return {item.key: item.captions for item in opened(path, how, column) if item.problem is None}


def told(path: Path, split: str = "train") -> str:
    return "\n".join(opened(path, split=split).notes)


def pairs(count: int, folder: str = "") -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {}
    for n in range(count):
        files |= {f"{folder}{n:02d}.png": RED, f"{folder}{n:02d}.txt": f"image {n}"}
    return files


def members(name: str) -> dict[str, bytes]:
    return {f"{name}.png": RED, f"{name}.txt": name.encode()}


def test_a_caption_with_commas_is_whole(tmp_path: Path) -> None:
    lines = "file_name,text\n0.png,a red circle, on white, small\n1.png,plain\n"
    assert captions(write(tmp_path, {"0.png": RED, "1.png": RED, "metadata.csv": lines})) == {
        "0.png": ("a red circle, on white, small",),
        "1.png": ("plain",),
    }
    write(tmp_path, {"metadata.csv": 'file_name,text,score\n0.png,a red circle, on white,3\n1.png,"a, b",2\n'})
    assert captions(tmp_path) == {"1.png": ("a, b",)}
    assert "4 fields where the header names 3" in problems(tmp_path)["metadata.csv:2"]
    assert "double quotes" in problems(tmp_path)["metadata.csv:2"]


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    write(tmp_path, {"0.png": RED, "metadata.csv": 'File_Name; Text\n0.png; "a; b"\n'})
    assert captions(tmp_path) == {"0.png": ("a; b",)}
    write(tmp_path, {"metadata.csv": 'file_name,text\n0.png,"never closed\n'})
    with pytest.raises(ValueError, match=r"metadata\.csv: line 2: .* must end with it"):
        list(opened(tmp_path))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_the_column_of_captions_can_be_named(tmp_path: Path, ending: str) -> None:
    row = {" file_name": "0.png", "url": "x", " Prompt": "a cup"}
    text = {"csv": " file_name,url, Prompt\n0.png,x,a cup\n", "jsonl": json.dumps(row), "json": json.dumps([row])}
    write(tmp_path, {"0.png": RED, f"metadata.{ending}": text[ending]})
    with pytest.raises(ValueError, match="only file_name, url, prompt: .*--caption-column 'prompt'"):
        list(opened(tmp_path))
    assert captions(tmp_path, column="prompt") == {"0.png": ("a cup",)}


def test_the_column_of_captions_in_parquet_and_tar(tmp_path: Path) -> None:
    parquet(tmp_path / "p" / "x.parquet", [{"image": picture(), "prompt": "a cup"}])
    with pytest.raises(ValueError, match="columns are image, prompt: .*--caption-column 'prompt'"):
        list(opened(tmp_path / "p"))
    assert captions(tmp_path / "p", column="prompt") == {"x.parquet#0": ("a cup",)}
    (tmp_path / "t").mkdir()
    tar(tmp_path / "t" / "x.tar", {"0.png": RED, "0.json": b'{"prompt": "a cup"}', "1.png": RED, "1.npy": b"x"})
    assert "only prompt: name the one" in problems(tmp_path / "t")["x.tar/0.png"]
    assert "beside it lies .npy" in problems(tmp_path / "t")["x.tar/1.png"]
    assert captions(tmp_path / "t", column="prompt") == {"x.tar/0.png": ("a cup",)}


def test_only_a_name_that_is_a_split_is_one(tmp_path: Path) -> None:
    for name in ("train_station", "airport", "test_tube"):
        tar(write(tmp_path, {}) / f"{name}.tar", members(name))
    assert len(captions(tmp_path)) == 3
    classes = write(tmp_path / "c", {"model_train/1.png": RED, "test_tube/2.png": RED, "train/3.png": RED})
    assert len(captions(classes)) == 3


def test_what_belongs_to_no_split_is_named(tmp_path: Path) -> None:
    for name in ("train-00000-of-00001", "test-00000", "loose"):
        tar(write(tmp_path, {}) / f"{name}.tar", members(name))
    assert list(captions(tmp_path)) == ["train-00000-of-00001.tar/train-00000-of-00001.png"]
    assert "of the split test: 1 files" in told(tmp_path)
    assert "belong to no split: 1 files (loose.tar)" in told(tmp_path)


def test_names_that_only_hint_at_splits_are_doubted(tmp_path: Path) -> None:
    for name in ("birds-train-000", "birds-val-000"):
        tar(write(tmp_path, {}) / f"{name}.tar", members(name))
    assert len(captions(tmp_path)) == 2
    assert "! all files are read" in told(tmp_path)


def test_a_stray_picture_leaves_the_splits(tmp_path: Path) -> None:
    write(tmp_path, {f"{split}/{kind}/1.png": RED for split in ("train", "test") for kind in ("cats", "dogs")})
    write(tmp_path, {"preview.png": RED})
    assert list(captions(tmp_path)) == ["train/cats/1.png", "train/dogs/1.png"]
    assert "belong to no split: 1 files (preview.png)" in told(tmp_path)
    assert [item.key for item in opened(tmp_path, split="validation")] == ["test/cats/1.png", "test/dogs/1.png"]


def test_metadata_above_the_splits(tmp_path: Path) -> None:
    rows = [{"file_name": f"{split}/1.png", "text": split} for split in ("train", "test")]
    write(tmp_path, {"train/1.png": RED, "test/1.png": RED, "metadata.jsonl": jsonl(*rows)})
    assert captions(tmp_path) == {"train/1.png": ("train",)}
    assert problems(tmp_path) == {}


def test_every_file_that_looks_like_a_picture_is_named(tmp_path: Path) -> None:
    files = {"cat/1.jfif": RED, "cat/2.jpg": RED, "dog/3.heic": b"x", "dog/4.avif": b"x", "dog/5.ppm": b"x"}
    write(tmp_path, {**files, "dog/6.png": RED, "notes.pdf": b"x"})
    assert set(captions(tmp_path)) == {"cat/1.jfif", "cat/2.jpg", "dog/6.png"}
    for ending in ("heic", "avif", "ppm"):
        assert f"! left out: 1 .{ending} images" in told(tmp_path)
    assert "not read, besides: 1 files (notes.pdf)" in told(tmp_path)


def test_a_member_that_comes_twice(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", members("1"))
    with tarfile.open(path, "a") as out:
        for name, data in {"1.png": b"other", "1.txt": b"other", "2.png": RED, "2.txt": b"2"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    assert captions(path) == {"x.tar/1.png": ("1",), "x.tar/2.png": ("2",)}
    found = [(item.key, item.problem) for item in opened(path) if item.problem]
    assert [key for key, _ in found] == ["x.tar/1.png", "x.tar/1.txt"]
    assert all("comes twice" in str(problem) for _, problem in found)
    report = inspect_source(opened(path))
    assert (report.pairs, report.unreadable, report.caption_orphans) == (2, 1, 1)


def test_links_in_a_tar_are_named(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", members("1"))
    with tarfile.open(path, "a") as out:
        link = tarfile.TarInfo("2.png")
        link.type, link.linkname = tarfile.LNKTYPE, "1.png"
        out.addfile(link)
    assert "is a link in the tar" in problems(path)["x.tar/2.png"]


def test_a_tar_that_unpacks_to_more_than_there_is_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unclip.data.files.members.MOST_PACKED", 2_000_000)
    monkeypatch.setattr("unclip.data.layouts.shards.MOST_PACKED", 3_000_000)
    huge = {"1.png": bytes(9_000_000), "2.txt": bytes(1_500_000), "3.a.png": bytes(1_900_000)}
    path = tar(tmp_path / "x.tar.gz", {**huge, "3.b.png": bytes(1_900_000), **members("4")}, "w:gz")
    found = problems(path)
    assert "has 9 MB, at most 2 MB" in found["x.tar.gz/1.png"]
    assert "has 2 MB, at most 1 MB" in found["x.tar.gz/2.txt"]
    assert "makes its sample larger" in found["x.tar.gz/3.b.png"]
    assert captions(path) == {"x.tar.gz/4.png": ("4",)}


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.GNUTYPE_SPARSE])
def test_a_header_of_any_size_is_not_read(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 5_000_000_000
    (tmp_path / "x.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(ValueError, match=r"x\.tar: is damaged or cut short .*(header of 5,000 MB|with holes)"):
        list(opened(tmp_path / "x.tar"))


def test_names_with_dots_are_read_without_holding_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unclip.data.layouts.shards.MOST_HELD", 1)
    files = {f"v.{n}.{end}": RED if end == "png" else b"x" for n in range(5) for end in ("png", "txt")}
    assert len(captions(tar(tmp_path / "x.tar", files))) == 5


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_equal_names_are_equal_in_every_layout(tmp_path: Path, form: str) -> None:
    this, that = (unicodedata.normalize(f, "caf\u00e9") for f in ("NFC" if form == "NFD" else "NFD", form))
    write(tmp_path / "pairs", {f"{this}.png": RED, f"{that}.txt": "x"})
    write(tmp_path / "meta", {f"{this}.png": RED, "metadata.csv": f"file_name,text\n{that}.png,x\n"})
    (tmp_path / "tar").mkdir()
    tar(tmp_path / "tar" / "x.tar", {f"{this}.png": RED, f"{that}.txt": b"x"})
    for layout in ("pairs", "meta", "tar"):
        assert list(captions(tmp_path / layout).values()) == [("x",)]
        assert problems(tmp_path / layout) == {}


def test_two_pictures_whose_names_differ_only_in_form_are_both_read(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "caf\u00e9.png") for form in ("NFC", "NFD")]
    write(tmp_path, dict.fromkeys(names, RED))
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows only one form")
    write(tmp_path, {"metadata.jsonl": jsonl(*({"file_name": name, "text": str(n)} for n, name in enumerate(names)))})
    assert captions(tmp_path) == {names[0]: ("0",), names[1]: ("1",)}


@pytest.mark.parametrize("stray", ["backup.tar", "embeddings.parquet"])
def test_a_stray_file_beside_pairs(tmp_path: Path, stray: str) -> None:
    write(tmp_path, pairs(6) | {stray: b"x"})
    assert len(captions(tmp_path)) == 6
    assert "captions are taken from: captions beside 6 of 6 images" in told(tmp_path)
    assert stray in told(tmp_path)


def test_a_few_pictures_beside_shards(tmp_path: Path) -> None:
    tar(write(tmp_path, {"preview.png": RED}) / "shard-00000.tar", members("1"))
    assert list(captions(tmp_path)) == ["shard-00000.tar/1.png"]
    assert "! left out: 1 images (preview.png)" in told(tmp_path)


def test_a_tie_is_asked_about(tmp_path: Path) -> None:
    tar(write(tmp_path, pairs(6)) / "shard-00000.tar", members("1"))
    with pytest.raises(ValueError, match=r"more than one data set.*--captions text.*--captions tar"):
        opened(tmp_path)
    assert len(captions(tmp_path, "text")) == 6
    assert len(captions(tmp_path, "tar")) == 1
    with pytest.raises(
        ValueError, match=r"--captions parquet: .* nothing of the kind; it holds 6 \.png, 6 \.txt, 1 \.tar"
    ):
        opened(tmp_path, "parquet")


def test_captions_in_the_files_of_other_tools(tmp_path: Path) -> None:
    write(tmp_path / "a", {"1.png": RED, "1.caption": "one", "2.png": RED, "2.png.txt": "two"})
    write(tmp_path / "a", {"3.png": RED, "3.json": '{"caption": "three", "score": 2}'})
    assert list(captions(tmp_path / "a").values()) == [("one",), ("two",), ("three",)]
    labelled = {"cat/1.png": RED, "cat/1.json": '{"shapes": [], "imagePath": "1.png"}', "dog/2.png": RED}
    assert list(captions(write(tmp_path / "b", labelled)).values()) == [("cat",), ("dog",)]


@pytest.mark.parametrize(
    "text", ['[{"file_name": "1.png", "text": "one"}]', '{"1.png": "one"}', '{"1": {"caption": "one"}}']
)
def test_metadata_json(tmp_path: Path, text: str) -> None:
    assert captions(write(tmp_path, {"1.png": RED, "metadata.json": text})) == {"1.png": ("one",)}
    write(tmp_path, {"metadata.json": '{"images": [1], "annotations": 3}'})
    with pytest.raises(ValueError, match=r"metadata\.json: is not a list of objects"):
        list(opened(tmp_path))


def test_captions_under_a_name_that_nobody_knows_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"images/1.png": RED, "captions.csv": "image,caption\n1.png,x\n"})
    with pytest.raises(ValueError, match=r"1 files may hold captions \(captions\.csv\).*rename"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "name, how",
    [("a.zip", "unpack"), ("x.tar.zst", "unpack"), ("x.heic", "convert")],
)
def test_data_in_another_form_tell_how(tmp_path: Path, name: str, how: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)holds no image.*{how}"):
        opened(write(tmp_path, {name: b"x"}))


def test_the_repeats_of_other_trainers(tmp_path: Path) -> None:
    write(tmp_path, {"10_sks dog/1.png": RED, "1_dog/2.png": RED})
    assert list(captions(tmp_path).values()) == [("sks dog",), ("dog",)]
    assert '"10_sks dog" is captioned "sks dog"' in told(tmp_path)
    write(tmp_path, {"cat/3.png": RED})
    assert list(captions(tmp_path).values()) == [("10 sks dog",), ("1 dog",), ("cat",)]
    assert '! the folder "10_sks dog"' in told(tmp_path)


def test_names_in_metadata_that_mean_a_picture_of_this_folder(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", {f"{n}.png": RED for n in range(6)} | {"sub/6.png": RED})
    wanted = [str(root / "0.png"), "photos/1.png", ".\\2.png", "3", "./4.png", str(root.resolve() / "5.png")]
    rows = [{"file_name": name, "text": str(n)} for n, name in enumerate(wanted)]
    write(root, {"metadata.jsonl": jsonl(*rows), "sub/metadata.jsonl": jsonl({"file_name": "sub/6.png", "text": "6"})})
    assert captions(root) == {f"{n}.png": (str(n),) for n in range(6)} | {"sub/6.png": ("6",)}
    write(root, {"metadata.jsonl": jsonl({"file_name": "/else/1.png", "text": "x"}, {"file_name": "https://x/1.png"})})
    found = problems(root)
    assert "lies outside of the data set" in found["metadata.jsonl:1"]
    assert "download" in found["metadata.jsonl:2"]


def test_names_as_captions(tmp_path: Path) -> None:
    names = ["arrow-left", "red_apple_01", "red_apple_02", "HomeButton@2x", "cup_32x32", "IMG_0017", "boeing 747"]
    write(tmp_path, {f"{name}.png": RED for name in names})
    with pytest.raises(ValueError, match='"arrow left".*--captions names'):
        opened(tmp_path)
    wanted = ["Home Button", None, "arrow left", "boeing 747", "cup", "red apple", "red apple"]
    found = [(item.captions or (None,))[0] for item in opened(tmp_path, "names")]
    assert found == wanted
    assert "has no words" in [item.problem for item in opened(tmp_path, "names")][1]


def test_names_that_say_nothing_are_not_proposed(tmp_path: Path) -> None:
    write(tmp_path, {f"IMG_{n:04d}.png": RED for n in range(4)})
    with pytest.raises(ValueError, match="no captions") as error:
        opened(tmp_path)
    assert "their names" not in str(error.value)


def run_folder(place: Path) -> None:
    write(place, {"run.toml": 'model = "unclip"\nbudget = 9.0\n', "samples/data.png": RED, "samples/a.txt": "x"})


def test_a_run_folder_is_never_data(tmp_path: Path) -> None:
    write(tmp_path, {"cat/1.png": RED, "dog/2.png": RED})
    before = opened(tmp_path).fingerprint()
    for place in ("runs/x", "cat/run", "dog/deep/run"):
        run_folder(tmp_path / place)
    assert set(captions(tmp_path)) == {"cat/1.png", "dog/2.png"}
    assert opened(tmp_path).fingerprint() == before
    assert "3 run folders of unclip (cat/run, dog/deep/run, runs/x)" in told(tmp_path)
    with pytest.raises(ValueError, match="is the folder of a run, not data"):
        opened(tmp_path / "runs" / "x")


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    write(tmp_path, pairs(3) | {"real/9.png": RED})
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "nowhere.png").symlink_to("/nowhere")
    (tmp_path / "00.txt").unlink()
    (tmp_path / "00.txt").symlink_to("/dev/zero")
    (tmp_path / "link.png").symlink_to(tmp_path / "01.png")
    (tmp_path / "link.txt").symlink_to(tmp_path / "01.txt")
    assert set(captions(tmp_path)) == {"01.png", "02.png", "link.png"}
    assert "! left out: 5 that are not regular files" in told(tmp_path)
    with pytest.raises(ValueError, match="not a regular file"):
        opened(tmp_path / "pipe.png")


def test_a_file_that_turns_into_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    items = list(opened(write(tmp_path, {"cat/1.png": RED, "dog/2.png": RED})))
    (tmp_path / "cat/1.png").unlink()
    os.mkfifo(tmp_path / "cat/1.png")
    with pytest.raises(OSError, match="not a regular file"):
        items[0].read()


def test_what_a_file_says_is_shown_escaped(tmp_path: Path) -> None:
    evil = "a\x1b[31m\u202e"
    write(tmp_path, {"1.png": RED, f"{evil}.heic": b"x", "metadata.jsonl": jsonl({"file_name": evil, "text": "x"})})
    report = inspect_source(opened(tmp_path))
    text = "\n".join((*report.lines(), *opened(tmp_path).notes))
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b[31m" in text
    write(tmp_path, {"metadata.csv": f"{evil},x\n"})
    (tmp_path / "metadata.jsonl").unlink()
    with pytest.raises(ValueError, match="needs file_name") as error:
        list(opened(tmp_path))
    assert "\x1b" not in str(error.value)

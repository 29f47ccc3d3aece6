"""Data sets of other libraries read here, and ours read there: datasets, webdataset, the Hub's cache."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from unclip.data.hub import fetched
from unclip.data.layouts.pack import pack
from unclip.data.source import open_source

NAMES = ("a red square", "a blue square", "a square, white")


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


PAIRS = [(png(colour), name) for colour, name in zip(("red", "blue", "white"), NAMES, strict=True)]


def read(path: Path | str, split: str = "train") -> list[tuple[bytes, str]]:
    return [(item.read(), item.captions[0]) for item in open_source(Path(path), split)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for i, (data, name) in enumerate(PAIRS):
        (place / f"{i}.png").write_bytes(data)
        (place / f"{i}.txt").write_text(name, encoding="utf-8")
    return place


def table(pairs: list[tuple[bytes, str]]) -> object:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    rows = {"image": [{"bytes": data, "path": None} for data, _ in pairs], "text": [name for _, name in pairs]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_what_datasets_saved_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("pyarrow")
    one = table(PAIRS)
    one.save_to_disk(tmp_path / "one", num_shards=2)  # pyright: ignore
    assert read(tmp_path / "one") == PAIRS
    parts = datasets.DatasetDict({"train": table(PAIRS[:2]), "test": table(PAIRS[2:])})
    parts.save_to_disk(tmp_path / "parts")
    assert read(tmp_path / "parts") == PAIRS[:2] and read(tmp_path / "parts", "test") == PAIRS[2:]
    one.to_parquet(tmp_path / "one.parquet")  # pyright: ignore
    assert read(tmp_path / "one.parquet") == PAIRS
    (tmp_path / "cut").mkdir()
    arrow = next((tmp_path / "one").glob("*.arrow")).read_bytes()
    (tmp_path / "cut" / "data.arrow").write_bytes(arrow[: len(arrow) // 2])
    with pytest.raises(ValueError, match=r"data.arrow: is damaged, or no Arrow file"):
        read(tmp_path / "cut")
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "DATA.ARROW").write_bytes(arrow)
    assert read(tmp_path / "loud") in (PAIRS[:2], PAIRS[2:])  # one shard of the two


def test_shards_of_pack_are_read_by_both(folder: Path, tmp_path: Path) -> None:
    assert pack(open_source(folder), tmp_path / "shards", per_shard=2) == 3
    assert read(tmp_path / "shards") == PAIRS
    shards = sorted(str(path) for path in (tmp_path / "shards").glob("*.tar"))
    webdataset = pytest.importorskip("webdataset")
    found = [(row["png"], row["txt"].decode()) for row in webdataset.WebDataset(shards, shardshuffle=False)]
    assert found == PAIRS
    datasets = pytest.importorskip("datasets")
    theirs = datasets.load_dataset("webdataset", data_files=shards, split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(theirs["txt"]) == sorted(NAMES)
    assert [image.size for image in theirs["png"]] == [(8, 8)] * 3
    seen = {name: image.convert("RGB").tobytes() for name, image in zip(theirs["txt"], theirs["png"], strict=True)}
    assert seen == {name: Image.open(io.BytesIO(data)).convert("RGB").tobytes() for data, name in PAIRS}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache with one data set, as `huggingface_hub` lays it."""
    hub = pytest.importorskip("huggingface_hub")
    root = tmp_path / "hub"
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    repo, sha = root / "datasets--me--squares", "0123456789" * 4
    place = repo / "snapshots" / sha
    (place / "pictures").mkdir(parents=True)
    (repo / "blobs").mkdir()
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(sha, encoding="utf-8")
    for i, (data, name) in enumerate(PAIRS):
        for blob, file, text in ((f"{i}p", f"{i}.png", data), (f"{i}t", f"{i}.txt", name.encode())):
            (repo / "blobs" / blob).write_bytes(text)
            (place / "pictures" / file).symlink_to(Path("..", "..", "..", "blobs", blob))
    return place


def test_an_address_of_the_hub(cache: Path) -> None:
    assert fetched("hf://datasets/me/squares") == cache
    assert read("hf://datasets/me/squares") == PAIRS  # a path, with one slash
    assert read("hf://datasets/me/squares@main/pictures") == PAIRS
    with pytest.raises(ValueError, match="hf:/datasets/me/others: not in the cache"):
        read("hf://datasets/me/others")
    with pytest.raises(ValueError, match="the data set has no nothing"):
        fetched("hf://datasets/me/squares/nothing")
    with pytest.raises(ValueError, match=r"hf://me/squares: no address of a data set; it is hf://datasets/OWNER/NAME"):
        fetched("hf://me/squares")

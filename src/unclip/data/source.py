"""Find out in which layout a data set lies, and open it."""

import re
from collections.abc import Callable
from pathlib import Path

from unclip.data.folder import ClassFolder, MetadataFolder, PairFolder, PictureFolder, is_metadata
from unclip.data.item import File, Item, Source, extension, is_picture, list_files, stem
from unclip.data.parquet import ParquetSource
from unclip.data.shards import ShardSource, is_shard

__all__ = ["LAYOUTS", "Item", "Source", "open_source"]

LAYOUTS = """unclip reads these layouts:
  image folder with metadata   photos/1.png and photos/metadata.jsonl with lines {"file_name": "1.png", "text": "a cup"}
                               (also metadata.csv and metadata.parquet with the columns file_name and text)
  image + text pairs           photos/1.png and photos/1.txt, one caption per line
  class folders                photos/golden_retriever/1.png, captioned "golden retriever"
  parquet                      train.parquet, or a folder of them: columns image {bytes, path} and text (or label)
  webdataset shards            shard-00000.tar, or a folder of them, holding 0001.jpg followed by 0001.txt or 0001.json
pictures end in .png .jpg .jpeg .webp .bmp .gif .tif or .tiff"""

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_ORDER = {"train": ("train",), "validation": ("validation", "test")}  # the first that is there is taken
_NOT_A_CLASS = frozenset({"images", "image", "imgs", "img", "pictures", "photos", "data"})


def open_source(path: Path, split: str = "train", captioned: bool = True) -> Source:
    """Open a data set, its layout recognised from its files.

    `split` is "train" or "validation" (a test split stands in where there is no validation split); it matters
    only where the files are named after splits, as "train-00000-of-00001.parquet" or "train/cat/1.png" are.
    Unless `captioned`, a folder of nothing but pictures is a data set too.
    Raises ValueError when the path does not exist, when nothing in it is a known layout, or has no such split.
    """
    path = Path(path).expanduser()
    if split not in _ORDER:
        raise ValueError(f'split is "{split}"; it must be "train" or "validation"')
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder; check the spelling.\n{LAYOUTS}")
    files = list_files(path)
    if path.is_file():
        return _open_file(path, files)
    return _open_folder(path, files, split, captioned)


def _open_file(path: Path, files: tuple[File, ...]) -> Source:
    if is_metadata(path.name):
        raise ValueError(f"{path}: is the metadata of an image folder; give the folder itself: {path.parent}")
    if extension(path.name) == "parquet":
        return ParquetSource(path, files)
    if is_shard(path.name):
        return ShardSource(path, files)
    hint = "unpack the archive first and give the folder.\n" if extension(path.name) in {"zip", "7z", "rar"} else ""
    raise ValueError(f"{path}: is no data set that unclip knows; {hint}{LAYOUTS}")


def _open_folder(path: Path, files: tuple[File, ...], split: str, captioned: bool) -> Source:
    def those(wanted: Callable[[str], bool]) -> tuple[File, ...]:
        return tuple(file for file in files if wanted(file.name))

    pictures, metadata = those(is_picture), those(is_metadata)
    if pictures and metadata:
        return MetadataFolder(path, _below_split(pictures + metadata, split))
    if tables := those(lambda name: extension(name) == "parquet"):
        return ParquetSource(path, _of_split(path, tables, split))
    if shards := those(is_shard):
        return ShardSource(path, _of_split(path, shards, split))
    if not pictures:
        raise ValueError(f"{path}: holds no picture, parquet file or tar shard ({len(files)} files seen).\n{LAYOUTS}")
    texts = those(lambda name: extension(name) == "txt")
    if {stem(file.name) for file in pictures} & {stem(file.name) for file in texts}:
        return PairFolder(path, _below_split(pictures + texts, split))
    return _open_classes(path, _below_split(pictures, split), captioned)


def _open_classes(path: Path, pictures: tuple[File, ...], captioned: bool) -> Source:
    classes = {file.name.split("/")[-2] for file in pictures if "/" in file.name}
    if not classes or (len(classes) == 1 and classes <= _NOT_A_CLASS):
        if not captioned:
            return PictureFolder(path, pictures)
        hint = "write some, or train on pictures alone: unclip train DATA --model ddpm (without --classes)"
        raise ValueError(f"{path}: holds {len(pictures)} pictures but no captions; {hint}\n{LAYOUTS}")
    return ClassFolder(path, pictures)


def _split_of(name: str) -> str | None:
    """The split that a file or folder name speaks of: "data/train-00000-of-00002.parquet" -> "train"."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, names in _SPLITS.items() if any(word in names for word in words)), None)


def _of_split(path: Path, files: tuple[File, ...], split: str) -> tuple[File, ...]:
    """The parquet files or shards of a split; all of them where no name speaks of a split."""
    found = {_split_of(file.name) for file in files}
    if found == {None}:
        return files
    for name in _ORDER[split]:
        if name in found:
            return tuple(file for file in files if _split_of(file.name) == name)
    names = ", ".join(file.name for file in files[:3])
    raise ValueError(f'{path}: no file is named after the split "{split}" (found {names}); rename them, or name one')


def _below_split(files: tuple[File, ...], split: str) -> tuple[File, ...]:
    """The files below train/, validation/, ...; all of them unless every file lies in such a folder.

    Only top folders count and "train" needs company: a picture or a class may well be called "train".
    """
    found = {_split_of(file.name.split("/")[0]) if "/" in file.name else None for file in files}
    if None in found or len(found) < 2 or "train" not in found:
        return files
    wanted = next((name for name in _ORDER[split] if name in found), "train")
    return tuple(file for file in files if _split_of(file.name.split("/")[0]) == wanted)

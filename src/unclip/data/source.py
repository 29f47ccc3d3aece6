"""Find out in which layout a data set lies, and open it."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from unclip.core.shown import printable
from unclip.data.files.listing import FolderContents, Listing, list_files
from unclip.data.hub import fetched, is_address
from unclip.data.item import FileSource, Item, Source, extension, is_picture
from unclip.data.layouts.choose import named_layout, others, recognised
from unclip.data.layouts.contents import Contents
from unclip.data.layouts.folder import ClassFolder, NameFolder, PairFolder, PictureFolder
from unclip.data.layouts.kinds import Captions, Layout
from unclip.data.layouts.left_out import PACKED, FilesRead, doubts, notes
from unclip.data.layouts.metadata import MetadataFolder, is_metadata
from unclip.data.layouts.parquet import TABLES, ParquetSource
from unclip.data.layouts.shards import ShardSource, is_shard
from unclip.data.layouts.splits import ORDER, Sorted, of_file, of_top, sort
from unclip.data.shapes.world import World

__all__ = ["FORMS", "Item", "Source", "notes_of", "open_source"]

FORMS = """unclip reads these layouts:
  image folder with metadata   photos/1.png and photos/metadata.jsonl with lines {"file_name": "1.png", "text": "a cup"}
                               (also metadata.json, .csv and .parquet with the columns file_name and text)
  image + text pairs           photos/1.png and photos/1.txt, one caption per line (also .caption and .json)
  class folders                photos/golden_retriever/1.png, captioned "golden retriever"
  parquet                      train.parquet, or a folder of them: columns image {bytes, path} and text (or label)
                               (also the .arrow files of datasets.Dataset.save_to_disk)
  webdataset shards            shard-00000.tar, or a folder of them, holding 0001.jpg followed by 0001.txt or 0001.json
  file names                   arrow_left.png, captioned "arrow left": with --captions names
images end in .png .jpg .jpeg .jfif .webp .bmp .gif .tif or .tiff"""


@dataclass(frozen=True)
class Reading:
    """How data are to be read. split: "train" or "validation"; captioned: images without captions are of no use.

    column: of the captions in metadata, Parquet and JSON, where it has none of the usual names.
    """

    split: str = "train"
    captioned: bool = True
    captions: Captions = "auto"
    column: str = ""


def open_source(
    path: Path, split: str = "train", captioned: bool = True, captions: Captions = "auto", column: str = ""
) -> Source:
    """Opens a data set at a path: a folder, an archive, shards or a table (docs/data.md).

    Args:
        path: the folder or file, or an address of the Hub, hf://datasets/OWNER/NAME.
        split: "train" or "validation" (a test split stands in where there is no validation split); it matters only
            where files are named after splits, as "train-00000-of-00001.parquet" or "train/cat/1.png".
        captioned: whether images must have captions; otherwise a folder of nothing but images is a data set, too.
        captions: the layout of the captions, where it should not be recognised from the files.
        column: the name of the captions' column in a table; "": recognised.

    Raises:
        ValueError: where the path does not exist, holds no known layout or no such split, or holds two data sets of
            which either may be meant.
    """
    path = fetched(str(path)) if is_address(str(path)) else Path(path).expanduser()
    if split not in ORDER:
        raise ValueError(f'split is "{printable(split)}"; it must be "train", "validation" or "test"')
    if not path.exists():
        raise ValueError(f"{printable(path)}: there is no such file or folder; check the spelling.\n{FORMS}")
    found = list_files(path)
    reading = Reading(split, captioned, captions, column)
    return _open_file(path, found.files, reading) if path.is_file() else _open_folder(path, found, reading)


def _open_file(path: Path, files: Listing, how: Reading) -> Source:
    name = path.name
    if is_metadata(name) and extension(name) != "parquet":
        raise ValueError(
            f"{printable(path)}: is the metadata of an image folder; give the folder itself: {path.parent}"
        )
    kind, opened = ("parquet", ParquetSource) if extension(name) in TABLES else ("tar", ShardSource)
    if kind == "tar" and not is_shard(name):
        hint = f"{PACKED[extension(name)]}.\n" if extension(name) in PACKED else ""
        raise ValueError(f"{printable(path)}: is not a data set that unclip knows; {hint}{FORMS}")
    if how.captions not in ("auto", kind):
        raise ValueError(f"--captions {how.captions}: {printable(path)} is a file; leave it out, or name a folder")
    return opened(path, files, how.column)


def _open_folder(path: Path, found: FolderContents, how: Reading) -> Source:
    contents = Contents(path, found.files)
    if how.captions == "auto":
        layout = recognised(contents, how.captioned, FORMS)
    else:
        layout = named_layout(contents, how.captions)
    files, sorted = contents.of(layout), _by_split(path, contents.of(layout), layout, how.split)
    taken, aside = sorted.taken, Listing()
    if layout == "metadata" and sorted.other:  # metadata above the folders of the splits speaks of all of them
        above = {name for name in sorted.loose.names() if is_metadata(name)}
        kept = set(taken.names()) | above
        taken, aside = files.those(kept.__contains__), files.those(lambda name: name not in kept and is_picture(name))
    read = FilesRead(layout, taken, sorted)
    told = (*others(contents, layout), *notes(found, read), *doubts(read, contents.classes))
    if layout == "metadata":
        return MetadataFolder(path, taken, how.column, told, aside)
    return _OPENED[layout](path, taken, how.column, told)


def _by_split(path: Path, files: Listing, layout: Layout, split: str) -> Sorted:
    packed = layout in ("parquet", "tar")
    splits = [(of_file if packed else of_top)(name) for name in files.names()]
    found = sort(files, splits, split, alone=packed)
    if found is None:
        names = ", ".join(map(printable, itertools.islice(files.names(), 3)))
        known = f'no file is named after the split "{split}" (found {names})'
        raise ValueError(f"{printable(path)}: {known}; rename them, or name one")
    return found


_OPENED: dict[Layout, type[FileSource]] = {
    "text": PairFolder,
    "folders": ClassFolder,
    "names": NameFolder,
    "pictures": PictureFolder,
    "parquet": ParquetSource,
    "tar": ShardSource,
}


def notes_of(source: object) -> tuple[str, ...]:
    """What a source has to say about how it is read and what it leaves out."""
    return source.notes if isinstance(source, FileSource | World) else ()

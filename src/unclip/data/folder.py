"""Folders of picture files: with metadata files, with one text file per picture, or sorted into class folders."""

import csv
import json
import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from unclip.data import parquet
from unclip.data.item import FileSource, Item, captions_in, extension, is_picture, key_of, no_picture, stem, text_lines

_METADATA = frozenset({"metadata.jsonl", "metadata.csv", "metadata.parquet"})
_NOT_CAPTIONS = frozenset({"readme", "license", "licence", "notice", "copying", "changelog"})

Row = dict[str, object]


def is_metadata(name: str) -> bool:
    """Whether a file is one of metadata.jsonl, metadata.csv, metadata.parquet, in any folder."""
    return name.rpartition("/")[2] in _METADATA


@dataclass(frozen=True)
class Folder(FileSource):
    """What the three kinds of image folder share."""

    def pictures(self) -> list[str]:
        """The names of the picture files, sorted."""
        return [file.name for file in self.files if is_picture(file.name)]

    def item(self, name: str, captions: tuple[str, ...], problem: str | None = None) -> Item:
        """The pair of a picture file."""
        return Item(key_of(name), partial(Path.read_bytes, self.root / name), captions, problem)


@dataclass(frozen=True)
class MetadataFolder(Folder):
    """Hugging Face `imagefolder`: metadata files whose `file_name` is relative to the metadata file's own folder.

    Pairs come in the order of the metadata (several lines about one picture add up), pictures without a line last.
    """

    kind: str = field(default="image folder with metadata.jsonl", init=False)

    def __iter__(self) -> Iterator[Item]:
        pictures = {unicodedata.normalize("NFC", name): name for name in self.pictures()}
        captions: dict[str, tuple[str, ...]] = {}
        for file in self.files:
            if not is_metadata(file.name):
                continue
            for where, row in _rows(self.root, file.name):
                read = self._place(where, row, posixpath.dirname(file.name), pictures)
                if isinstance(read, Item):
                    yield read
                else:  # a dict keeps the order of its first insertions, and joins the captions of repeated lines
                    captions[read[0]] = tuple(dict.fromkeys(captions.get(read[0], ()) + read[1]))
        for name, texts in captions.items():
            yield self.item(name, texts, None if texts else 'its metadata line has no "text"; add a caption')
        for name in pictures.values():
            if name not in captions:
                yield self.item(name, (), "no metadata line names this picture; add one, or delete the picture")

    def _place(
        self, where: str, row: Row | str, folder: str, pictures: dict[str, str]
    ) -> Item | tuple[str, tuple[str, ...]]:
        """The picture and captions of a line, or an Item that says what is wrong with the line."""
        if isinstance(row, str):
            return Item(where, no_picture, (), row)
        wanted, captions = row.get("file_name"), captions_in(row)
        if not isinstance(wanted, str) or not wanted:
            return Item(where, no_picture, captions, 'has no "file_name"; add the name of the picture')
        name = posixpath.normpath(posixpath.join(folder, wanted.replace("\\", "/")))
        name = pictures.get(unicodedata.normalize("NFC", name))
        if name is None:
            reason = f'no picture named "{wanted}" in the data set; add the picture, or delete the line'
            return Item(where, no_picture, captions, reason)
        return name, captions


def _rows(root: Path, name: str) -> Iterator[tuple[str, Row | str]]:
    """(place, row) for each line of a metadata file; in place of a row that cannot be read: the reason."""
    readers = {"jsonl": _jsonl_rows, "csv": _csv_rows, "parquet": _parquet_rows}
    for line, row in readers[extension(name)](root / name):
        yield f"{key_of(name)}:{line}", row


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Row | str]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
                yield number, row if isinstance(row, dict) else 'is no JSON object like {"file_name": …, "text": …}'
            except UnicodeDecodeError:
                yield number, "is not UTF-8; save the file as UTF-8"
            except (ValueError, RecursionError) as error:
                yield number, f"is not JSON ({error}); each line must be one JSON object"


def _csv_rows(path: Path) -> Iterator[tuple[int, Row | str]]:
    # Bytes that are not UTF-8 become half surrogates, so that one bad row does not cost the whole file.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.DictReader(lines)
        try:
            if "file_name" not in (reader.fieldnames or ()):
                raise ValueError(f"{path}: its columns are {reader.fieldnames}; it needs file_name and text")
            for row in reader:
                good = not any(isinstance(text, str) and _has_surrogates(text) for text in row.values())
                yield reader.line_num, dict(row) if good else "is not UTF-8; save the file as UTF-8"
        except csv.Error as error:
            raise ValueError(f"{path}: line {reader.line_num}: {error}; save it again as plain CSV") from error


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row | str]]:
    yield from enumerate(parquet.rows(path))


@dataclass(frozen=True)
class PairFolder(Folder):
    """`cat.png` beside `cat.txt`, one caption per non-empty line, in any sub-folder."""

    kind: str = field(default="image + text pairs", init=False)

    def __iter__(self) -> Iterator[Item]:
        texts = {stem(file.name): file.name for file in self.files if extension(file.name) == "txt"}
        lonely = dict(texts)
        for name in self.pictures():
            lonely.pop(stem(name), None)
            yield self.item(name, *self._captions(texts.get(stem(name))))
        for where, name in lonely.items():
            if posixpath.basename(where).lower() not in _NOT_CAPTIONS:
                captions, _ = self._captions(name)
                yield Item(key_of(name), no_picture, captions, "no picture beside it; add the picture, or delete it")

    def _captions(self, name: str | None) -> tuple[tuple[str, ...], str | None]:
        """The captions in a text file, and what is wrong with it."""
        if name is None:
            return (), "no text file beside it; add one with a caption, or delete the picture"
        try:
            captions = text_lines((self.root / name).read_bytes())
            return captions, None if captions else f"{key_of(name)} is empty; write a caption into it"
        except UnicodeDecodeError:
            return (), f"{key_of(name)} is not UTF-8; save it as UTF-8"
        except OSError as error:
            return (), f"{key_of(name)} cannot be read ({error.strerror}); check its permissions"


@dataclass(frozen=True)
class ClassFolder(Folder):
    """`golden_retriever/1.png`, captioned by the name of its folder: "golden retriever"."""

    kind: str = field(default="class folders", init=False)

    def __iter__(self) -> Iterator[Item]:
        for name in self.pictures():
            caption = key_of(posixpath.basename(posixpath.dirname(name))).replace("_", " ").strip()
            problem = None if caption else "lies in no class folder; move it into one, or delete it"
            yield self.item(name, (caption,) if caption else (), problem)


@dataclass(frozen=True)
class PictureFolder(Folder):
    """Pictures and nothing that says what they show: enough for a plain DDPM."""

    kind: str = field(default="pictures without captions", init=False)

    def __iter__(self) -> Iterator[Item]:
        for name in self.pictures():
            yield self.item(name, ())

"""Folders of image files: with metadata files, with a caption file per image, sorted into class folders, or with
names that say what they show."""

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from unclip.core.shown import printable
from unclip.data.files.file_names import NameCaptions
from unclip.data.files.regular import MOST_CAPTION, read_regular
from unclip.data.item import (
    CAPTION_FILES,
    FileSource,
    Item,
    captions_in,
    extension,
    is_picture,
    key_of,
    lacks_captions,
    no_picture,
    normal,
    same,
    stem,
    text_lines,
)

_NOT_CAPTIONS = frozenset({"readme", "license", "licence", "notice", "copying", "changelog"})
REPEATS = re.compile(r"\d+_(?=.*[^\W\d_])")
"""What other trainers write before the name of a class folder: how often its images count in one pass."""


@dataclass(frozen=True)
class Folder(FileSource):
    """What the kinds of image folder share."""

    def pictures(self) -> Iterator[str]:
        """The names of the image files, sorted."""
        return filter(is_picture, self.files.names())

    def item(self, name: str, captions: tuple[str, ...], problem: str | None = None) -> Item:
        """The pair of an image file."""
        return Item(key_of(name), partial(read_regular, self.root / name), captions, problem)


def caption_stem(name: str) -> str | None:
    """The image that a caption file may speak of, without its ending: of "1.txt" and "1.png.txt" that is "1"."""
    if extension(name) not in CAPTION_FILES:
        return None
    of = stem(name)
    return same(stem(of) if is_picture(of) else of)


@dataclass(frozen=True)
class PairFolder(Folder):
    """`cat.png` beside `cat.txt` (or .caption, .json, `cat.png.txt`) in any sub-folder, a caption per line that is not
    empty."""

    kind: str = field(default="image + text pairs", init=False)

    def __iter__(self) -> Iterator[Item]:
        texts = {ending: self._beside(ending) for ending in CAPTION_FILES}
        led = set[str]()
        for name in self.pictures():
            of = same(stem(name))
            found = [self.files.name(texts[ending][of]) for ending in CAPTION_FILES if of in texts[ending]]
            if found:
                led.add(of)
            yield self.item(name, *self._captions(found))
        for of, i in ((of, i) for ending in ("txt", "caption") for of, i in texts[ending].items()):
            if of not in led and posixpath.basename(of).lower() not in _NOT_CAPTIONS:
                captions, _ = self._captions([self.files.name(i)])
                reason = "no image beside it; add the image, or delete it"
                yield Item(key_of(self.files.name(i)), no_picture, captions, reason)

    def _beside(self, ending: str) -> dict[str, int]:
        """Image without its ending -> the number of its caption file of that ending."""
        found = enumerate(self.files.names())
        return {of: i for i, name in found if extension(name) == ending and (of := caption_stem(name)) is not None}

    def _captions(self, names: list[str]) -> tuple[tuple[str, ...], str | None]:
        """The captions in the first of the files that holds any, and what is wrong with the first."""
        problem = None
        for name in names:
            captions, why = self._read(name)
            if captions:
                return captions, None
            problem = problem or why
        return (), problem or "no caption file beside it; add a .txt with a caption, or delete the image"

    def _read(self, name: str) -> tuple[tuple[str, ...], str | None]:
        try:
            data = read_regular(self.root / name, MOST_CAPTION)
            if extension(name) == "json":
                return _json_captions(name, data, self.column)
            captions = text_lines(data)
            return captions, None if captions else f"{key_of(name)} is empty; write a caption into it"
        except UnicodeDecodeError:
            return (), f"{key_of(name)} is not UTF-8; save it as UTF-8"
        except OSError as error:
            return (), f"{key_of(name)} cannot be read ({error.strerror}); check its permissions"


def _json_captions(name: str, data: bytes, column: str) -> tuple[tuple[str, ...], str | None]:
    try:
        row = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return (), f"{key_of(name)} is not JSON in UTF-8 ({error})"
    if not isinstance(row, dict):
        return (), f'{key_of(name)} is no JSON object like {{"text": …}}'
    captions = captions_in(normal(row), column)
    return captions, None if captions else lacks_captions(key_of(name), row, column)


@dataclass(frozen=True)
class ClassFolder(Folder):
    """`golden_retriever/1.png`, captioned by the name of its folder: "golden retriever"."""

    kind: str = field(default="class folders", init=False)

    def __iter__(self) -> Iterator[Item]:
        repeats = counted(self.classes())
        for name in self.pictures():
            caption = class_caption(posixpath.basename(posixpath.dirname(name)), repeats)
            problem = None if caption else "lies in no class folder; move it into one, or delete it"
            yield self.item(name, (caption,) if caption else (), problem)

    def classes(self) -> set[str]:
        """The names of the folders that images lie in."""
        return {posixpath.basename(posixpath.dirname(name)) for name in self.pictures()} - {""}


def counted(classes: set[str]) -> bool:
    """Whether the folders are named as other trainers want it: all of them "10_sks dog", the repeats first."""
    return bool(classes) and all(REPEATS.match(name) for name in classes)


def class_caption(folder: str, repeats: bool) -> str:
    """The caption of a class folder; repeats: its leading number is none of its words."""
    words = REPEATS.sub("", folder, count=1) if repeats else folder
    return " ".join(key_of(words).replace("_", " ").split())


@dataclass(frozen=True)
class NameFolder(Folder):
    """`arrow_left.png`, captioned by its own name: "arrow left"."""

    kind: str = field(default="file names as captions", init=False)

    def __iter__(self) -> Iterator[Item]:
        words = NameCaptions(self.pictures())
        for name in self.pictures():
            caption = words.of(name)
            problem = None if caption else f"its name {printable(posixpath.basename(name))} has no words; rename it"
            yield self.item(name, (caption,) if caption else (), problem)


@dataclass(frozen=True)
class PictureFolder(Folder):
    """Images and nothing that says what they show: enough for a plain DDPM."""

    kind: str = field(default="images without captions", init=False)

    def __iter__(self) -> Iterator[Item]:
        for name in self.pictures():
            yield self.item(name, ())

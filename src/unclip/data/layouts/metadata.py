"""Image folders with metadata files, as Hugging Face's `imagefolder` reads them."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from unclip.core.shown import printable
from unclip.data.files.file_names import Names
from unclip.data.files.listing import Listing
from unclip.data.item import CAPTION_NAMES, Item, Row, captions_in, lacks_captions, no_picture
from unclip.data.layouts.folder import Folder
from unclip.data.layouts.rows import rows

_METADATA = frozenset({"metadata.jsonl", "metadata.json", "metadata.csv", "metadata.parquet"})

Placed = tuple[str, tuple[str, ...]]


def is_metadata(name: str) -> bool:
    """Whether a file is one of metadata.jsonl, .json, .csv, .parquet, in any folder."""
    return name.rpartition("/")[2].lower() in _METADATA


@dataclass(frozen=True)
class MetadataFolder(Folder):
    """Metadata files whose `file_name` is relative to the metadata file's own folder.

    Pairs come in the order of the metadata (several lines about one image add up), images without a line last.
    aside: images of other splits; lines about them are passed over.
    """

    aside: Listing = field(default_factory=Listing)
    kind: str = field(default="image folder with metadata.jsonl", init=False)

    def __iter__(self) -> Iterator[Item]:
        pictures, captions = Names(self.pictures()), dict[str, tuple[str, ...]]()
        aside, columns = Names(self.aside.names()), _Columns(self.column)
        for file in filter(is_metadata, self.files.names()):
            for where, row in rows(self.root, file, self.column):
                read = self._place(where, row, posixpath.dirname(file), pictures, aside)
                columns.see(row)
                if isinstance(read, Item):
                    yield read
                elif read is not None:  # a dict keeps the order of its first insertions, and joins repeated lines
                    captions[read[0]] = tuple(dict.fromkeys(captions.get(read[0], ()) + read[1]))
        columns.check(self.root)
        label = self.column or "text"
        for name, texts in captions.items():
            yield self.item(name, texts, None if texts else f'its metadata line has no "{label}"; add a caption')
        for name in self.pictures():
            if name not in captions:
                yield self.item(name, (), "no metadata line names this image; add one, or delete the image")

    def _place(self, where: str, row: Row | str, folder: str, pictures: Names, aside: Names) -> Item | Placed | None:
        """The image and captions of a line, or an Item that says what is wrong with the line; None: not meant."""
        if isinstance(row, str):
            return Item(where, no_picture, (), row)
        wanted, captions = row.get("file_name"), captions_in(row, self.column)
        if not isinstance(wanted, str) or not wanted.strip():
            known = ", ".join(printable(name, 40) for name, _ in zip(row, range(20), strict=False))
            reason = f'has no "file_name", only {known or "nothing"}; add the name of the image'
            return Item(where, no_picture, captions, reason)
        candidates = list(self._candidates(wanted.strip(), folder))
        name = next(filter(None, map(pictures.find, candidates)), None)
        name = name or next(filter(None, map(pictures.find_stem, candidates)), None)
        if name is None and any(map(aside.find, candidates)):
            return None
        if name is None:
            return Item(where, no_picture, captions, f"{_astray(wanted)}; add the image, or delete the line")
        return name, captions

    def _candidates(self, wanted: str, folder: str) -> Iterator[str]:
        """The names that a `file_name` may mean, all of them inside the data set, the likeliest first."""
        wanted = wanted.replace("\\", "/")
        if wanted.startswith("/") or re.match(r"[A-Za-z]:/", wanted):
            for root in {self.root.absolute(), self.root.resolve()}:
                if PurePosixPath(wanted).is_relative_to(root.as_posix()):
                    yield PurePosixPath(wanted).relative_to(root.as_posix()).as_posix()
            return
        yield posixpath.normpath(posixpath.join(folder, wanted))
        if folder:
            yield posixpath.normpath(wanted)
        first, _, rest = wanted.removeprefix("./").partition("/")
        if rest and first == Path(self.root.resolve()).name:
            yield posixpath.normpath(rest)


@dataclass
class _Columns:
    """The columns of all metadata, and whether one of them is of captions."""

    column: str
    seen: dict[str, None] = field(default_factory=dict)
    known: bool = False

    def see(self, row: Row | str) -> None:
        if isinstance(row, str):
            return
        if len(self.seen) < 20:
            self.seen.update(dict.fromkeys(row))
        wanted = (self.column.strip().lower(),) if self.column else CAPTION_NAMES
        self.known = self.known or any(name in row for name in wanted)

    def check(self, root: Path) -> None:
        """Raises ValueError where no line of the metadata has a column of captions."""
        if self.seen and not self.known:
            raise ValueError(f"{printable(root)}: {lacks_captions('its metadata', self.seen, self.column)}")


def _astray(wanted: str) -> str:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", wanted):
        return f'"{printable(wanted)}" is an address, not a file: download the image first'
    if wanted.startswith("/") or re.match(r"[A-Za-z]:[\\/]", wanted):
        return f'"{printable(wanted)}" lies outside of the data set; write its name relative to the metadata file'
    return f'no image named "{printable(wanted)}" in the data set'

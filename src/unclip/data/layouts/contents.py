"""What lies in a folder, by kind, and in which layouts it can be read."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unclip.core.shown import printable
from unclip.data.files.listing import Listing
from unclip.data.files.regular import MOST_CAPTION, read_regular
from unclip.data.item import captions_in, extension, is_picture, normal, same, stem
from unclip.data.layouts.folder import caption_stem
from unclip.data.layouts.kinds import Layout
from unclip.data.layouts.metadata import is_metadata
from unclip.data.layouts.parquet import TABLES
from unclip.data.layouts.shards import is_shard
from unclip.data.layouts.splits import split_of

NOT_A_CLASS = frozenset({"images", "image", "imgs", "img", "pictures", "photos", "data"})
_PEEK = 8
"""So many .json files tell whether such files hold captions or something else."""
_FEW = 10
"""So many images may lie beside shards without being a data set of their own."""


@dataclass(frozen=True)
class Contents:
    """The files below a folder."""

    root: Path
    files: Listing

    @cached_property
    def pictures(self) -> Listing:
        """The image files."""
        return self.files.those(is_picture)

    @cached_property
    def metadata(self) -> Listing:
        """The metadata files."""
        return self.files.those(is_metadata)

    @cached_property
    def tables(self) -> Listing:
        """Parquet files but those of metadata beside images."""
        besides = bool(self.pictures)
        return self.files.those(lambda name: extension(name) in TABLES and not (besides and is_metadata(name)))

    @cached_property
    def shards(self) -> Listing:
        """The tar files."""
        return self.files.those(is_shard)

    @cached_property
    def texts(self) -> Listing:
        """The caption files, if there is an image to one of them."""
        known = {same(stem(name)) for name in self.pictures.names()}
        found = self.files.those(lambda name: caption_stem(name) is not None and not is_metadata(name))
        led = found.those(lambda name: caption_stem(name) in known)
        data = [name for name in led.names() if extension(name) == "json"]
        if self._any_captions(data):
            return found.those(lambda name: extension(name) != "json" or caption_stem(name) in known)
        plain = found.those(lambda name: extension(name) != "json")
        return plain if len(led) > len(data) else Listing()

    def _any_captions(self, names: list[str]) -> bool:
        """Whether one of the first of these .json files holds captions: those of other tools hold other things."""
        return any(_holds_captions(self.root / name) for name in names[:_PEEK])

    @cached_property
    def with_text(self) -> int:
        """The number of images with a caption file beside them."""
        known = {caption_stem(name) for name in self.texts.names()}
        return sum(same(stem(name)) in known for name in self.pictures.names())

    @cached_property
    def classes(self) -> set[str]:
        """The folders whose names may be captions; empty where all images lie in one that only says "images"."""
        found = {name.split("/")[-2] for name in self.pictures.names() if "/" in name}
        return set() if len(found) == 1 and found <= NOT_A_CLASS else found

    def of(self, layout: Layout) -> Listing:
        """The files that the layout reads, of all splits."""
        if layout in ("parquet", "tar"):
            return self.tables if layout == "parquet" else self.shards
        if layout == "metadata":
            return self.files.those(lambda name: is_picture(name) or is_metadata(name))
        if layout == "text":
            wanted = set(self.texts.names())
            return self.files.those(lambda name: is_picture(name) or name in wanted)
        return self.pictures

    def count(self, layout: Layout) -> str:
        """What there is of a layout, in words."""
        counts = {
            "metadata": f"{', '.join(printable(name) for name in itertools.islice(self.metadata.names(), 2))}",
            "text": f"captions beside {self.with_text:,} of {len(self.pictures):,} images",
            "folders": f"{len(self.pictures):,} images in {len(self.classes):,} class folders",
            "names": f"the names of {len(self.pictures):,} images",
            "pictures": f"{len(self.pictures):,} images without captions",
            "parquet": f"{len(self.tables):,} Parquet files ({_first(self.tables)})",
            "tar": f"{len(self.shards):,} tar files ({_first(self.shards)})",
        }
        return counts[layout]

    def has(self, layout: Layout) -> bool:
        """Whether the folder can be read in that layout."""
        needs = {
            "metadata": self.metadata and self.pictures,
            "text": self.texts,
            "folders": self.classes,
            "parquet": self.tables,
            "tar": self.shards,
        }
        return bool(needs.get(layout, self.pictures))

    def whole(self, layout: Layout, captioned: bool) -> bool:
        """Whether it is likely to be the data that is meant, and no stray file: numbered shards, captions beside at
        least half of the images, more than a few images in class folders."""
        many = len(self.pictures) > _FEW
        return {
            "metadata": True,
            "text": 2 * self.with_text >= len(self.pictures),
            "folders": many and len(self.classes) > 1,
            "names": many,
            "pictures": many and not captioned,
            "parquet": _numbered(self.tables),
            "tar": _numbered(self.shards),
        }[layout]

    def endings(self) -> str:
        """The files by their endings, the most frequent first: "12 .heic, 1 .md"."""
        counts = Counter(extension(name) for name in self.files.names())
        return ", ".join(
            f"{n:,} {f'.{printable(e, 20)}' if e else 'without an ending'}" for e, n in counts.most_common(8)
        )


def _holds_captions(path: Path) -> bool:
    try:
        row = json.loads(read_regular(path, MOST_CAPTION).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and bool(captions_in(normal(row)))


def _numbered(files: Listing) -> bool:
    """Whether the names are those of a data set: numbered, or of a split."""
    bases: Iterator[str] = (name.rpartition("/")[2].partition(".")[0] for name in files.names())
    return any(split_of(base) or re.search(r"\d{3}", base) for base in bases)


def _first(files: Listing) -> str:
    names = [printable(name) for name in itertools.islice(files.names(), 3)]
    return ", ".join(names) + (", ..." if len(files) > len(names) else "")

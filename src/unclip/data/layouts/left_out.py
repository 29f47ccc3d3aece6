"""What lies in a data set and is not read, told before anything is trained on the rest."""

from collections.abc import Iterator
from dataclasses import dataclass

from unclip.core.shown import printable
from unclip.data.files.listing import FolderContents, Group, Listing
from unclip.data.item import extension, is_picture
from unclip.data.layouts.folder import REPEATS, counted
from unclip.data.layouts.shards import is_shard
from unclip.data.layouts.splits import Sorted, hinted

_FOREIGN = (
    "heic heif avif ppm pgm pbm pnm jp2 j2k jpx jxl tga svg psd xcf ico icns dng cr2 cr3 nef arw orf rw2 raf raw exr "
    "hdr eps qoi pcx dds apng mpo ktx kra ai"
)
FOREIGN = frozenset(_FOREIGN.split())
"""Endings of images that are not read."""
PACKED = {
    **dict.fromkeys(("zip", "7z", "rar"), "unpack the archive first and give the folder"),
    **dict.fromkeys(("bz2", "xz", "zst", "lz4"), "unpack the archive first: .tar and .tar.gz are read"),
    **dict.fromkeys(("tfrecord", "h5", "hdf5", "mdb", "npz", "npy", "pkl", "pt"), "write its images as files"),
}
"""Endings of files that hold images in a form that is not read, and what to do."""


@dataclass(frozen=True)
class FilesRead:
    """taken: the files that are read; kind: in which layout; sorted: by splits."""

    kind: str
    taken: Listing
    sorted: Sorted


def notes(found: FolderContents, read: FilesRead) -> Iterator[str]:
    """Lines about what is left out, "!" before what may have been meant to be read."""
    for split, files in read.sorted.other.items():
        yield f"left out, of the split {split}: {len(files):,} files"
    if (loose := _group(_without(read.sorted.loose.names(), read.taken))).count:
        yield f"! left out, since they belong to no split: {loose.count:,} files ({loose.named()})"
    rest: Iterator[str] = found.files.names()
    for known in (read.taken, *read.sorted.other.values(), read.sorted.loose):
        rest = _without(rest, known)
    groups, plain = dict[str, Group](), Group()
    for name in rest:
        what = _what(name)
        (groups.setdefault(what, Group()) if what else plain).add(name)
    for what, group in groups.items():
        yield f"! left out: {group.count:,} {what} ({group.named()})"
    yield from _never(found)
    if plain.count:
        yield f"not read, besides: {plain.count:,} files ({plain.named()})"


def _group(names: Iterator[str]) -> Group:
    group = Group()
    for name in names:
        group.add(name)
    return group


def _without(names: Iterator[str], taken: Listing) -> Iterator[str]:
    """The names that are not in `taken`, which has its own in the same order."""
    others = taken.names()
    other = next(others, None)
    for name in names:
        if name == other:
            other = next(others, None)
        else:
            yield name


def _never(found: FolderContents) -> Iterator[str]:
    """What is read in no layout."""
    if found.runs.count:
        yield f"left out: {found.runs.count:,} run folders of unclip ({found.runs.named()})"
    if found.special.count:
        some = f"{found.special.count:,} that are not regular files: pipes, devices, links that lead nowhere"
        yield f"! left out: {some} ({found.special.named()})"
    if found.hidden.count:
        yield f"not read, besides: {found.hidden.count:,} hidden files or folders ({found.hidden.named()})"


def _what(name: str) -> str:
    """What a file is that may have been meant to be read, and what to do with it; "" for any other."""
    ending = extension(name)
    if is_picture(name):
        return "images"
    if ending in FOREIGN:
        return f".{ending} images, a form that unclip does not read; convert them to PNG or JPEG"
    if ending == "parquet":
        return "Parquet files"
    if is_shard(name):
        return "tar files"
    return f".{ending} files; {PACKED[ending]}" if ending in PACKED else ""


def doubts(read: FilesRead, classes: set[str]) -> Iterator[str]:
    """Names that can be taken in two ways, and how they are."""
    hints = {hint for name in read.taken.names() if (hint := hinted(name.rpartition("/")[2].partition(".")[0]))}
    if read.kind in ("parquet", "tar") and not read.sorted.other and len(hints) > 1 and "train" in hints:
        yield (
            "! all files are read: a name is that of a split only where it begins with it (train-00000.tar); rename "
            "them, or sort them into the folders train/ and validation/"
        )
    if read.kind == "folders" and (odd := sorted(name for name in classes if REPEATS.match(name))):
        if counted(classes):
            example = f'"{printable(odd[0])}" is captioned "{printable(REPEATS.sub("", odd[0]))}"'
            yield f"the numbers before the names of the folders, repeats of other trainers, are passed over: {example}"
        else:
            yield f'! the folder "{printable(odd[0])}" has a number before its name, which becomes part of its captions'

"""Which split of a data set a name speaks of: only one that is exactly the split's name does."""

import re
from dataclasses import dataclass, field

from unclip.data.files.listing import Listing

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
ORDER = {"train": ("train",), "validation": ("validation", "test"), "test": ("test", "validation")}
"""Of these, the first that is there is taken."""
_EXACT = {name: split for split, names in NAMES.items() for name in names}
_NUMBERED = re.compile(r"([a-z]+)(?:[-_.]?\d+)?(?:[-_.]of[-_.]\d+)?(?:[-_.][0-9a-f]{16})?")


def split_of(name: str) -> str | None:
    """The split that a file (without its ending) or folder is named after: "train", "train-00000-of-00002"; a
    "train_station" is none."""
    match = _NUMBERED.fullmatch(name.lower())
    return _EXACT.get(match[1]) if match else None


def hinted(name: str) -> str | None:
    """The split that one of the words of a name is called after, as in "imagenet-val-0001"."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((_EXACT[word] for word in words if word in _EXACT), None)


@dataclass(frozen=True)
class Sorted:
    """taken: the files of the split; other: split -> files; loose: files of no split, where others have one."""

    taken: Listing
    other: dict[str, Listing] = field(default_factory=dict)
    loose: Listing = field(default_factory=Listing)


def sort(files: Listing, splits: list[str | None], split: str, alone: bool) -> Sorted | None:
    """The files by their splits, all of them taken where the names speak of none; None where splits are there, but
    not this one, nor one that may stand in for it.

    Names speak of splits where "train" and another are there: a class, or a file among others, may well be called
    "train". alone: also where every file is named after one and the same.
    """
    found = set(splits) - {None}
    speaks = "train" in found and len(found) > 1
    if not speaks and not (alone and found and None not in splits):
        return Sorted(files)
    wanted = next((name for name in ORDER[split] if name in found), None)
    if wanted is None:
        return None
    other = {name: those(files, splits, name) for name in NAMES if name in found and name != wanted}
    return Sorted(those(files, splits, wanted), other, those(files, splits, None))


def those(files: Listing, splits: list[str | None], wanted: str | None) -> Listing:
    """The files of one split."""
    return Listing(file for file, split in zip(files, splits, strict=True) if split == wanted)


def of_file(name: str) -> str | None:
    """The split of a Parquet file or a shard, by its own name, else by the folder that it lies in."""
    *folders, base = name.split("/")
    return next(filter(None, map(split_of, [base.partition(".")[0], *reversed(folders)])), None)


def of_top(name: str) -> str | None:
    """The split of an image, by the folder right below the data."""
    top, slash, _ = name.partition("/")
    return split_of(top) if slash else None

"""What of streamed shards is prepared like any data: the shards that are held out, and a sample of the others.

The report, the tokenizer, gates, previews and scores see these images; nothing has to read all others first.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unclip.core.shown import printable
from unclip.data.files.listing import File
from unclip.data.item import Item, key_of, mixed
from unclip.data.layouts.kinds import SPLITS
from unclip.data.layouts.shards import ShardSource
from unclip.data.prepare.read import Prepared
from unclip.data.prepare.splits import MAXIMUM, Splits, by_side
from unclip.data.prepare.splits_file import HELD_OUT
from unclip.data.stream.shards import Shards

LOOK = 1000
"""Samples of training shards that are prepared; of those for validation, and for the test, `MAXIMUM` each."""
MANY, LARGE = 500, 10e9
"""So many shards, or so many bytes, are streamed unless it is said otherwise."""
FEWEST = 3
"""One to train on, one for validation, one for the test."""


def why_not(source: object) -> str:
    """Why a data set cannot be streamed; "" where it can."""
    if not isinstance(source, ShardSource):
        return "only tar shards can be read as a stream; `unclip pack FOLDER SHARDS` writes them"
    if packed := next((file.name for file in source.files if not file.name.lower().endswith(".tar")), ""):
        return f"{printable(packed)} is compressed, and a stream needs to seek: unpack it (gunzip) to a plain .tar"
    if len(source.files) < FEWEST:
        return f"{len(source.files)} shards are too few, {FEWEST} would do: whole shards are held out of the training"
    return ""


def is_large(source: object) -> bool:
    """Whether a data set is one that is streamed unless it is said otherwise."""
    if why_not(source) or not isinstance(source, ShardSource):
        return False
    return len(source.files) >= MANY or sum(file.size for file in source.files) >= LARGE


def choose(source: ShardSource, place: Path, held_out: float) -> Shards:
    """Settles which shards of a data set are held out of a run, and of which a sample is prepared.

    In the order of the hashes of their names, shards go to validation until they hold `MAXIMUM` samples, or are the
    share `held_out` of all; then as many to the test; the next, until they hold `LOOK`, are trained on, and looked at
    first. Those that are cut short are passed over. Raises ValueError where too few are whole.
    """
    place.mkdir(parents=True, exist_ok=True)
    took = dict[str, tuple[str, ...]]()
    shards = Shards(place, source.root, source.files, source.column, took, 0)
    order, most = iter(hashed(source.files)), max(1, int(held_out * len(source.files)))
    for split in (*HELD_OUT, SPLITS[0]):
        wanted, limit = (MAXIMUM, most) if split in HELD_OUT else (LOOK, len(source.files))
        took[split] = tuple(_taken(shards, order, wanted, limit))
        if not took[split]:
            raise ValueError(
                f"{printable(source.root)}: too few of its {len(source.files):,} shards are whole and hold an image: "
                f"none is left for the split {split}"
            )
    return replace(shards, images=_about(shards))


def hashed(files: Iterable[File]) -> list[File]:
    """In an order that depends on their names alone."""
    return sorted(files, key=lambda file: mixed(key_of(file.name)))


def _taken(shards: Shards, order: Iterator[File], wanted: int, most: int) -> Iterator[str]:
    samples = taken = 0
    while samples < wanted and taken < most and (file := next(order, None)) is not None:
        found = shards.index(file)
        if not found.cut and found.rows:
            shards.note(file, found, write=True)
            samples, taken = samples + len(found.rows), taken + 1
            yield file.name


def _about(shards: Shards) -> int:
    """How many samples the shards that are trained on hold, by their bytes and what was counted."""
    sizes = {file.name: file.size for file in shards.files}
    each = sum(count for count, _ in shards.counts.values()) / sum(sizes[name] for name in shards.counts)
    return max(1, round(each * sum(file.size for file in shards.trained)))


@dataclass(frozen=True)
class Sample:
    """The first samples of the shards that are looked at, as a source."""

    shards: Shards

    @property
    def root(self) -> Path:
        """Where the shards lie."""
        return self.shards.root

    @property
    def kind(self) -> str:
        """That of all shards."""
        return self.shards.source.kind

    def __iter__(self) -> Iterator[Item]:
        whole = self.shards.source
        for split in SPLITS:
            of = replace(whole, files=whole.files.those(self.shards.looked[split].__contains__))
            yield from itertools.islice(of, MAXIMUM if split in HELD_OUT else LOOK)

    def fingerprint(self) -> str:
        """Another one than that of the whole."""
        return f"{self.shards.source.fingerprint()} a sample"


def splits_of_sample(prepared: Prepared, shards: Shards) -> Splits:
    """The split of each prepared image is that of its shard. Raises ValueError where one has none."""
    side = np.zeros(len(prepared), dtype=np.uint8)
    keys = [(number, f"{key_of(name)}/") for number, split in enumerate(HELD_OUT, 1) for name in shards.looked[split]]
    for row, key in enumerate(prepared.keys):
        side[row] = next((number for number, shard in keys if key.startswith(shard)), 0)
    splits = by_side(side)
    for split in SPLITS:
        if not len(splits.of(split)):
            raise ValueError(f"not one image of the shards that were looked at for the split {split} can be used")
    return splits

"""Whether a data set is the one that was prepared, wherever its files lie now."""

import json
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import numpy as np

from unclip.core.disk.atomic import write_atomic
from unclip.data.images.colours import WHITE
from unclip.data.item import Item, Source, at_size
from unclip.data.layouts.kinds import CROP
from unclip.data.prepare.inspect import Examined, examine, ordered
from unclip.data.prepare.journal import kept_for
from unclip.data.prepare.read import Prepared, load_prepared, read_about
from unclip.data.stream.sample import Sample
from unclip.data.stream.shards import open_shards


def is_prepared(source: Source, out: Path, captioned: bool = True) -> bool:
    """Whether the folder `out` holds what `prepare` would make of the source.

    Names, sizes and times of the files tell it at once. Where they differ (a copy, another mount), images and
    captions are compared up to the first that differs; if none does, the new times are noted. Of shards that are
    streamed so are those that are prepared, and the names and sizes of all. Raises ValueError where what was prepared
    is damaged.
    """
    if (shards := open_shards(out)) is not None:
        moved = shards.moved(source)
        if moved is None or not _is_prepared(Sample(moved), out, captioned):
            return False
        if (moved.root, [*moved.files]) != (shards.root, [*shards.files]):
            with suppress(OSError, ValueError):
                moved.keep()
        return True
    return _is_prepared(source, out, captioned)


def _is_prepared(source: Source, out: Path, captioned: bool) -> bool:
    about, fingerprint = read_about(out) or kept_for(out), source.fingerprint()
    if about is None or about.get("fingerprint") == fingerprint:
        return about is not None
    how = about.get("how")
    how = how if isinstance(how, dict) else {}
    look = partial(examine, captioned=captioned, background=how.get("background", WHITE), fit=how.get("fit", CROP))
    same = about.get("kind") == source.kind and _equal(source, load_prepared(out), look)
    if same:
        with suppress(OSError):  # a run that may only be read
            write_atomic(out / "prepared.json", json.dumps(about | {"fingerprint": fingerprint}, indent=2))
    return same


def _equal(source: Source, kept: Prepared, look: Callable[[Item, int], Examined]) -> bool:
    rows, source = 0, at_size(source, kept.size)
    with closing(ordered(lambda item: look(item, kept.size), source)) as stream:
        for found in stream:
            if found.pixels is None:
                continue
            if rows == len(kept) or (found.item.key, found.item.captions) != (kept.keys[rows], kept.captions[rows]):
                return False
            if not np.array_equal(found.pixels, kept.images[rows]):
                return False
            rows += 1
    return rows == len(kept)

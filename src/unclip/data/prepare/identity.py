"""Whether a data set is the one that was prepared, wherever its files lie now."""

import json
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from unclip.core.disk.atomic import write_atomic
from unclip.data.images.colours import WHITE
from unclip.data.item import Source, at_size
from unclip.data.prepare.inspect import examine, ordered
from unclip.data.prepare.journal import kept_for
from unclip.data.prepare.read import Prepared, load_prepared, read_about


def is_prepared(source: Source, out: Path, captioned: bool = True) -> bool:
    """Whether the folder `out` holds what `prepare` would make of the source.

    Names, sizes and times of the files tell it at once. Where they differ (a copy, another mount), images and
    captions are compared up to the first that differs; if none does, the new times are noted. Raises ValueError where
    what was prepared is damaged.
    """
    about, fingerprint = read_about(out) or kept_for(out), source.fingerprint()
    if about is None or about.get("fingerprint") == fingerprint:
        return about is not None
    how = about.get("how")
    background = how.get("background", WHITE) if isinstance(how, dict) else WHITE
    same = about.get("kind") == source.kind and _equal(source, load_prepared(out), captioned, background)
    if same:
        with suppress(OSError):  # a run that may only be read
            write_atomic(out / "prepared.json", json.dumps(about | {"fingerprint": fingerprint}, indent=2))
    return same


def _equal(source: Source, kept: Prepared, captioned: bool, background: str) -> bool:
    rows, source = 0, at_size(source, kept.size)
    with closing(ordered(lambda item: examine(item, kept.size, captioned, background=background), source)) as stream:
        for found in stream:
            if found.pixels is None:
                continue
            if rows == len(kept) or (found.item.key, found.item.captions) != (kept.keys[rows], kept.captions[rows]):
                return False
            if not np.array_equal(found.pixels, kept.images[rows]):
                return False
            rows += 1
    return rows == len(kept)

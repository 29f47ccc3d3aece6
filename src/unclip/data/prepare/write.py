"""From a source of pairs to a prepared data set: one pass that reads, checks, decodes and writes."""

import itertools
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.store import sha256
from unclip.data.images.colours import WHITE
from unclip.data.images.square import check_known
from unclip.data.item import Item, Source, at_size
from unclip.data.layouts.kinds import CROP, Fit
from unclip.data.prepare.inspect import DataReport, Examined, Tally, examine, ordered
from unclip.data.prepare.journal import Journal, sync
from unclip.data.prepare.read import SKIPPED, VERSION, Prepared, load_prepared, npy_header, reusable, temporary

__all__ = ["Prepared", "load_prepared", "prepare"]


def prepare(
    source: Source,
    out: Path,
    size: int,
    max_bad: float = 0.01,
    captioned: bool = True,
    minimum: int = 0,
    background: str = WHITE,
    fit: Fit = CROP,
    stop: threading.Event | None = None,
) -> Prepared:
    """Decode a data set to `size` x `size` RGB and keep it in the folder `out`.

    Written are images.npy (uint8 [n, size, size, 3]), captions.jsonl, skipped.jsonl and, last, prepared.json.
    What is there already from the same files, made in the same way, is opened, and nothing is read again; what was
    begun is gone on with.
    Unless `captioned`, images without a caption are kept too; those that would be enlarged to `minimum` pixels are not.
    background: a colour behind what is transparent. fit: what becomes of images that are not square.
    Raises KeyboardInterrupt soon after `stop` is set, and ValueError when more than the share `max_bad` of the items
    cannot be used, or not one can; skipped.jsonl, which names each with its reason, is kept then too.
    """
    if not 0 <= max_bad <= 1:
        raise ValueError(f"max_bad is {max_bad}; it must be a share between 0 and 1")
    if size < 1:
        raise ValueError(f"size is {size}; it must be at least 1 pixel")
    check_known(fit)
    source = at_size(source, size)
    fingerprint, how = source.fingerprint(), _how(captioned, minimum, background, fit)
    if (done := reusable(out, size, fingerprint, how)) is not None:
        _check(done.report, max_bad, out / SKIPPED)
        return done
    tally = Tally(size, fit)
    about = {"version": VERSION, "size": size, "fingerprint": fingerprint, "how": how}
    with Journal(out, size, about) as journal:
        for found in _examined(source, journal, lambda item: examine(item, size, captioned, minimum, background, fit)):
            tally.add(found)
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt
        report = tally.report(source.kind)
        _check(report, max_bad, _keep_skipped(out, journal))
        _commit(out, journal, report, about)
    return load_prepared(out)


def _how(captioned: bool, minimum: int, background: str, fit: Fit) -> dict[str, Any]:
    """What prepared.json says of it. Images that were prepared before they could be whole are cropped ones."""
    how = {"captioned": captioned, "least": minimum, "background": background}
    return how if fit == CROP else how | {"fit": fit}


def _examined(source: Source, journal: Journal, look: Callable[[Item], Examined]) -> Iterator[Examined]:
    """Every item: those of an earlier preparation as they were noted, then the others, which are noted."""
    items = iter(source)
    for item in items:
        if (found := journal.kept(item)) is None:
            items = itertools.chain([item], items)
            break
        yield found
    for found in ordered(look, items):
        journal.add(found)
        yield found


def _keep_skipped(out: Path, journal: Journal) -> Path:
    """Writes skipped.jsonl, also where nothing else will be kept; returns its path."""
    skipped = ({"key": row["key"], "reason": row["problem"]} for row in journal.rows() if row["pixels"] is None)
    return _write_lines(out / SKIPPED, skipped)


def _commit(out: Path, journal: Journal, report: DataReport, about: dict[str, Any]) -> None:
    """Makes the data set exist: prepared.json, which holds the hash of the captions with the digests of the images,
    comes last; until then the files do not fit what it says, and are made again."""
    pairs = ({n: row[o] for n, o in _KEPT} for row in journal.rows() if row["pixels"] is not None)
    captions = _write_lines(out / "captions.jsonl", pairs)
    journal.images.seek(0)
    journal.images.write(npy_header((journal.count, journal.size, journal.size, 3)))
    _rename(journal.images, out / "images.npy")
    about = {**about, "count": journal.count, "kind": report.kind, "sha256": {captions.name: sha256(captions)}}
    write_atomic(out / "prepared.json", json.dumps(about | {"report": report.as_dict()}, indent=2))


_KEPT = (("key", "key"), ("captions", "captions"), ("digest", "pixels"))
"""Names in captions.jsonl, and in the journal."""


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with temporary(path).open("wb") as file:
        for row in rows:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
        _rename(file, path)
    return path


def _rename(file: BinaryIO, path: Path) -> None:
    sync(file)
    os.replace(temporary(path), path)


def _check(report: DataReport, max_bad: float, skipped: Path) -> None:
    """Stop at a data set of which too much is unusable: what is left may be another data set than the one meant."""
    total = report.pairs + report.bad
    if not report.pairs:
        raise ValueError(f"not one of {total:,} items is a usable pair:{_first(report)}\nall of them: {skipped}")
    if report.bad > max_bad * total:
        share = math.ceil(1000 * report.bad / total) / 10
        raise ValueError(
            f"{report.bad:,} of {total:,} items ({share} %) cannot be used:{_first(report)}\n"
            f"all of them: {skipped}\nput them right, or go on without them: --max-bad 1"
        )


def _first(report: DataReport) -> str:
    return "".join(f"\n  {problem}" for problem in report.problems[:3])

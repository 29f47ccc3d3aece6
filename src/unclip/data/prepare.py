"""From a source of pairs to a prepared data set: one pass that reads, checks, decodes and writes."""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from unclip.data.inspect import DataReport, Examined, Tally, examine, ordered
from unclip.data.item import Item, Source, held
from unclip.data.prepared import Prepared, Writer, load_prepared, read_about

__all__ = ["Prepared", "load_prepared", "prepare", "write_prepared"]


def prepare(
    source: Source,
    out: Path,
    size: int,
    max_bad: float = 0.01,
    progress: Callable[[int], None] | None = None,
    captioned: bool = True,
    least: int = 0,
) -> Prepared:
    """Decode a data set to `size` x `size` RGB and keep it in the folder `out`.

    Written are images.npy (uint8 [n, size, size, 3]), captions.jsonl, skipped.jsonl and, last, prepared.json.
    What is there already from the same files at the same size is opened, and nothing is read again.
    Unless `captioned`, pictures without a caption are kept too; those whose shorter side has fewer than `least` pixels
    are not.
    `progress` is called with the number of items done after each of them.
    Raises ValueError when more than the share `max_bad` of the items cannot be used, or not one can;
    skipped.jsonl, which names each with its reason, is kept then too.
    """
    if not 0 <= max_bad <= 1:
        raise ValueError(f"max_bad is {max_bad}; it must be a share between 0 and 1")
    if size < 1:
        raise ValueError(f"size is {size}; it must be at least 1 pixel")
    fingerprint = source.fingerprint()
    if (done := _reusable(out, size, fingerprint)) is not None:
        _check(done.report, max_bad, out / "skipped.jsonl")
        return done
    tally, seen = Tally(), itertools.count(1)
    with Writer(out, size) as writer:
        for found in ordered(lambda item: examine(item, size, captioned, least), source):
            tally.add(found)
            _write(writer, found)
            if progress is not None:
                progress(next(seen))
        report = tally.report(source.kind)
        _check(report, max_bad, writer.keep_skipped())
        writer.commit(report, fingerprint)
    return load_prepared(out)


def _reusable(out: Path, size: int, fingerprint: str) -> Prepared | None:
    """What an earlier call left, if it is whole and of the same files and size."""
    try:
        about = read_about(out)
        if about is None or (about.get("size"), about.get("fingerprint")) != (size, fingerprint):
            return None
        return load_prepared(out)
    except ValueError:  # damaged, or of another version: it is only a cache
        return None


def _write(writer: Writer, found: Examined) -> None:
    if found.pixels is None:
        writer.skip(found.item.key, found.problem or "")
    else:
        writer.add(found.pixels, found.item.key, found.item.captions)


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


def write_prepared(
    out: Path,
    images: Iterable[np.ndarray],
    captions: Sequence[tuple[str, ...]],
    keys: Sequence[str],
    kind: str,
    fingerprint: str,
) -> Prepared:
    """Keep pictures that are at hand (a drawn world) as a prepared data set; always written anew.

    Raises ValueError when there is no picture, when the pictures are not uint8 squares of one size, or when
    pictures, captions and keys differ in number.
    """
    stream = iter(images)
    first = next(stream, None)
    if first is None:
        raise ValueError(f"{out}: there is no picture to write")
    tally, size = Tally(), first.shape[0]
    with Writer(out, size) as writer:
        for pixels, texts, key in zip(itertools.chain([first], stream), captions, keys, strict=True):
            writer.add(pixels, key, texts)
            digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
            tally.add(Examined(Item(key, held(b""), texts), pixels, (size, size), digest))
        writer.commit(tally.report(kind), fingerprint)
    return load_prepared(out)

"""What is in a data set, what is wrong with it, and how to put it right."""

import dataclasses
import hashlib
import itertools
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from unclip.core.shown import printable
from unclip.data.images.colours import WHITE
from unclip.data.images.decode import Decoded, Pixels, decode_sized
from unclip.data.images.square import check_known, spans
from unclip.data.item import Item, Skipped, Source
from unclip.data.layouts.kinds import CROP, Fit

A = TypeVar("A")
B = TypeVar("B")

EXAMPLES = 5
SMALLEST = 32
"""Pixels of the smallest images that `unclip train` takes by itself."""
MOST_HELD = 128_000_000
"""Bytes of encoded images that wait in memory to be decoded."""


@dataclass(frozen=True)
class DataReport:
    """What a data set holds. Words and sizes are (smallest, median, largest), sizes in pixels as (width, height)."""

    kind: str
    pairs: int  # usable ones
    orphans: int = 0  # images without a usable caption
    caption_orphans: int = 0  # captions or metadata lines that lead to no image
    unreadable: int = 0  # images that do not decode
    duplicates: int = 0  # usable pairs whose image has the same bytes as an earlier one
    distinct_captions: int = 0
    caption_words: tuple[int, int, int] = (0, 0, 0)
    image_size: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0), (0, 0))  # by area
    small: tuple[int, int] = (0, 0)  # (usable pairs that are enlarged to so many px, px)
    flat: tuple[int, str] = (0, "")  # (images that come out as one colour, another background to try)
    notes: tuple[tuple[str, int], ...] = ()  # (what was guessed of an image's values, of how many)
    problems: tuple[str, ...] = ()  # the first few, as "key: reason; fix"

    @property
    def bad(self) -> int:
        """The number of items that cannot be used."""
        return self.orphans + self.caption_orphans + self.unreadable

    def as_dict(self) -> dict[str, Any]:
        """The report as a dict for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DataReport":
        """Makes the report from what `as_dict` wrote. Raises TypeError for unknown or missing fields."""
        low, middle, high = (tuple(size) for size in values["image_size"])
        tuples = {name: tuple(values[name]) for name in ("caption_words", "problems", "small", "flat")}
        notes = tuple((note, count) for note, count in values["notes"])
        return cls(**{**values, **tuples, "image_size": (low, middle, high), "notes": notes})

    def lines(self) -> list[str]:
        """The report for a terminal. A line that begins with "!" says what is off and how to put it right."""
        return [*self._facts(), *self._faults(), *(f"    {problem}" for problem in self.problems)]

    def _facts(self) -> Iterator[str]:
        yield f"{self.pairs:,} {'pairs' if self.distinct_captions or not self.pairs else 'images'} ({self.kind})"
        if self.distinct_captions:
            words, different = self.caption_words, f"{self.distinct_captions:,} different ones"
            yield f"captions: {words[0]} to {words[2]} words, median {words[1]}; {different}"
        if self.pairs:
            sizes = [f"{width} x {height}" for width, height in self.image_size]
            yield f"images: {sizes[0]} to {sizes[2]} pixels, median {sizes[1]}"

    def _faults(self) -> Iterator[str]:
        if not self.pairs:
            yield "! not one usable pair"
        if self.pairs > 1 and self.distinct_captions == 1:
            yield "! all captions are the same: a model cannot learn to follow words from them; write different ones"
        if self.duplicates:
            yield (
                f"! {self.duplicates:,} images have the same bytes as an earlier one: repeated images are learnt "
                "by heart; delete the copies, or give one image several captions"
            )
        yield from self._doubts()
        if self.orphans:
            yield f"! {self.orphans:,} images have no caption: write one for each, or delete them"
        if self.caption_orphans:
            yield f"! {self.caption_orphans:,} captions lead to no image: add the image, or delete the caption"
        if self.unreadable:
            yield f"! {self.unreadable:,} images cannot be read: replace or delete them"
        if self.problems:
            yield f"the first {len(self.problems)} of {self.bad:,}:" if self.bad > len(self.problems) else "in full:"

    def _doubts(self) -> Iterator[str]:
        """Images that can be used, but may not be what their owner sees."""
        flat, background = self.flat
        if flat:
            other = f"; where they are transparent: --background {background}" if background else ""
            yield f"! {flat:,} of {self.pairs:,} images come out as one flat colour: nothing is seen on them{other}"
        small, side = self.small
        if small:
            yield (
                f"! {small:,} of {self.pairs:,} images are smaller than {side} pixels and are enlarged to them: they "
                "get no sharper, and the model learns the blur"
            )
        for note, count in self.notes:
            yield f"! {count:,} image{'s' * (count > 1)}: {note}"


@dataclass(frozen=True)
class Examined:
    """An item after its image was read: the pixels, or the reason why the pair cannot be used."""

    item: Item
    pixels: Pixels | None = None
    original: tuple[int, int] = (0, 0)  # width, height
    digest: bytes = b""  # of the encoded bytes
    problem: str | None = None
    flat: str = ""  # of an image of one colour: a background on which a transparent one might be seen, else "opaque"
    note: str = ""  # what was guessed of its values


def examine(
    item: Item, size: int, captioned: bool = True, minimum: int = 0, background: str = WHITE, fit: Fit = CROP
) -> Examined:
    """Read and decode one item to `size` pixels; never raises on a bad image. minimum: px, of the side that fills a
    square: the shorter one, of a whole image (`fit` "pad") the longer.

    Unless `captioned`, an image is of use without a caption: what an item with an image lacks is nothing else.
    """
    if (captioned or not item.has_picture) and (item.problem or not item.captions):
        return Examined(item, problem=item.problem or "no caption")
    try:
        data = item.read()
        found = decode_sized(data, size, background, fit)
    except OSError as error:
        return Examined(item, problem=f"cannot be read ({error.strerror or error}); check its permissions")
    except ValueError as error:
        return Examined(item, problem=str(error))
    if spans(found.size, fit) < minimum:
        width, height = found.size
        return Examined(item, problem=f"{width} x {height} px, smaller than the {minimum} px that are wanted")
    digest = hashlib.blake2b(data if isinstance(data, bytes) else data.tobytes(), digest_size=16).digest()
    return Examined(item, found.pixels, found.size, digest, flat=_flat(found), note=found.note)


def _flat(found: Decoded) -> str:
    """ "" for an image on which something is to be seen, or that is too small to say; else as in `Examined`."""
    if min(found.size) < 2 or len(found.pixels) < 2 or _varies(found.pixels[::4, ::4]) or _varies(found.pixels):
        return ""
    if not found.clear:
        return "opaque"
    return "black" if found.pixels.mean() > 127 else "white"


def _varies(pixels: Pixels) -> bool:
    """Whether a channel takes values more than 2 apart."""
    return any(max(values) - min(values) > 2 for values in (pixels[..., channel].tobytes() for channel in range(3)))


@dataclass
class Tally:
    """Counts examined items into a DataReport; holds some 50 bytes per pair, never an image.

    size: px, below which an image is enlarged; fit: how it becomes a square.
    """

    size: int
    fit: Fit = CROP
    counts: Counter[str] = field(default_factory=Counter)
    pictures: set[bytes] = field(default_factory=set)
    captions: set[bytes] = field(default_factory=set)
    words: Counter[int] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    flat: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, found: Examined) -> None:
        """Count one item."""
        if found.problem is None:
            return self._add_pair(found)
        item = found.item
        kind = "orphans" if not item.captions and not isinstance(item.read, Skipped) else "unreadable"
        self.counts[kind if item.has_picture else "caption_orphans"] += 1
        if len(self.problems) < EXAMPLES:
            self.problems.append(f"{printable(item.key)}: {printable(found.problem)}")

    def _add_pair(self, found: Examined) -> None:
        self.counts["pairs"] += 1
        self.counts["duplicates"] += found.digest in self.pictures
        self.pictures.add(found.digest)
        self.sizes[found.original] += 1
        self.counts["small"] += spans(found.original, self.fit) < self.size
        if found.flat:
            self.flat[found.flat] += 1
        if found.note:
            self.notes[found.note] += 1
        for caption in found.item.captions:
            self.words[len(caption.split())] += 1
            self.captions.add(hashlib.blake2b(caption.encode(), digest_size=8).digest())

    def report(self, kind: str) -> DataReport:
        """The report so far."""
        return DataReport(
            kind=kind,
            pairs=self.counts["pairs"],
            orphans=self.counts["orphans"],
            caption_orphans=self.counts["caption_orphans"],
            unreadable=self.counts["unreadable"],
            duplicates=self.counts["duplicates"],
            distinct_captions=len(self.captions),
            caption_words=_spread(self.words, lambda words: words, 0),
            image_size=_spread(self.sizes, lambda size: (size[0] * size[1], size), (0, 0)),
            small=(self.counts["small"], self.size),
            flat=(self.flat.total(), next((c for c, _ in self.flat.most_common() if c != "opaque"), "")),
            notes=tuple(self.notes.most_common(EXAMPLES)),
            problems=tuple(self.problems),
        )


def _spread(counts: Counter[A], order: Callable[[A], Any], empty: A) -> tuple[A, A, A]:
    """(smallest, median, largest) of a histogram; the median of an even number is the lower one."""
    if not counts:
        return empty, empty, empty
    values = sorted(counts, key=order)
    reached = itertools.accumulate(counts[value] for value in values)
    median = next(value for value, seen in zip(values, reached, strict=True) if 2 * seen >= counts.total())
    return values[0], median, values[-1]


def workers() -> int:
    """Threads that decode: as many as this process may use cores, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, max(2, cores))


def ordered(work: Callable[[A], B], things: Iterable[A], ahead: int = 32) -> Generator[B, None, None]:
    """`map` over threads (Pillow decodes outside the interpreter lock), in order.

    At most `ahead` things are worked on early, and less where they hold more than MOST_HELD bytes.
    """
    waiting: deque[tuple[Future[B], int]] = deque()
    with ThreadPoolExecutor(workers()) as pool:
        try:
            for thing in things:
                if isinstance(thing, Item) and thing.quick and not waiting:
                    yield work(thing)
                    continue
                waiting.append((pool.submit(work, thing), thing.held if isinstance(thing, Item) else 0))
                del thing  # its bytes go when its work is done
                while len(waiting) >= ahead or sum(size for _, size in waiting) > MOST_HELD:
                    yield waiting.popleft()[0].result()
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def inspect_source(
    source: Source, limit: int | None = None, captioned: bool = True, background: str = WHITE, fit: Fit = CROP
) -> DataReport:
    """Decodes the images of a data set and reports how many can be used, and what is wrong with the others.

    Images are decoded in full, if coarsely: a header alone does not show that a file was cut short.

    Args:
        source: the data set.
        limit: the number of items to look at, from the first; None: all.
        captioned: whether an image without a caption is of no use.
        background: the colour behind images that are transparent.
        fit: what becomes of images that are not square.
    """
    check_known(fit)
    tally, items = Tally(SMALLEST, fit), itertools.islice(source, limit)
    for found in ordered(lambda item: examine(item, 8, captioned, background=background, fit=fit), items):
        tally.add(found)
    return tally.report(source.kind)

"""A first look at a data set: its first images prepared as a run would, the others opened or counted."""

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from unclip.data.item import Item, Source, at_size
from unclip.data.prepare.inspect import DataReport, Tally, examine, ordered
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.stream.shards import Shards
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.sources.streamed import chosen, told_of_shards

LOOK = 1000
"""So many images are prepared: enough for a rate, for the self-test, and for an opinion."""
NOT_TIMED = "streamed: threads of their own decode; where these take all cores, steps are slower than foretold here"
PATIENCE = 10.0
"""Seconds in which all images are opened; those that are left then are only counted."""


@dataclass(frozen=True)
class Head:
    """The first `count` items of a source, as a source."""

    whole: Source
    count: int

    @property
    def root(self) -> Path:
        """Where the whole lies."""
        return self.whole.root

    @property
    def kind(self) -> str:
        """As of the whole."""
        return self.whole.kind

    def __iter__(self) -> Iterator[Item]:
        return itertools.islice(self.whole, self.count)

    def fingerprint(self) -> str:
        """Another one than that of the whole."""
        return f"{self.whole.fingerprint()} {self.count}"


@dataclass(frozen=True)
class Looked:
    """What is known of a data set before a run.

    head: its first items as a source. prepared: the images of these. report: of the `opened` items of `items`.
    captions: of each image that may be used. seconds: in which an image is prepared. streamed: the shards of which the
    items are a sample.
    """

    head: Head
    prepared: Prepared
    report: DataReport
    captions: list[tuple[str, ...]]
    opened: int
    items: int
    seconds: float
    streamed: Shards | None = None

    @property
    def images(self) -> int:
        """Images that a run will have."""
        return self.kept if self.streamed is None else self.streamed.images

    @property
    def kept(self) -> int:
        """Images that a run will prepare: of those that were not opened the same share as of the others."""
        return round(self.items * self.report.pairs / max(1, self.opened))

    def lines(self) -> list[str]:
        """The report for a person."""
        part = f"the first {self.opened:,} of {self.items:,} images were opened, the others counted"
        streamed = [] if self.streamed is None else [told_of_shards(self.streamed), NOT_TIMED]
        return [*([part] if self.opened < self.items else []), *self.report.lines(), *streamed]


def look(source: Source, config: RunConfig, place: Path, stop: threading.Event) -> Looked:
    """Prepares the first images in the folder `place`, and opens or counts all.

    Raises ValueError as a run would where too many of them cannot be used, and KeyboardInterrupt soon after `stop` is
    set.
    """
    captioned, sample = config.captioned, chosen(source, place.with_name("sample"), config)
    source = at_size(source if sample is None else sample, config.size)
    head, began = Head(source, LOOK), time.monotonic()
    prepared = prepare(head, place, config.size, config.max_bad, captioned, stop=stop, **config.look)
    took, items = time.monotonic() - began, iter(source)
    tally, captions, opened = Tally(config.size, config.fit), list[tuple[str, ...]](), 0
    early = before(time.monotonic() + PATIENCE, items)
    with closing(ordered(lambda item: examine(item, 8, captioned, **config.look), early)) as stream:
        for found in stream:
            if stop.is_set():
                raise KeyboardInterrupt
            tally.add(found)
            opened += 1
            captions += [found.item.captions] if found.problem is None else []
    rest = [item.captions for item in items]
    captions += [of for of in rest if of or not captioned]
    each = took / max(1, prepared.report.pairs + prepared.report.bad)
    shards, report = None if sample is None else sample.shards, tally.report(source.kind)
    return Looked(head, prepared, report, captions, opened, opened + len(rest), each, shards)


def before(deadline: float, items: Iterable[Item]) -> Iterator[Item]:
    """The items that come before that moment; none is lost."""
    for item in items:
        yield item
        if time.monotonic() > deadline:
            return

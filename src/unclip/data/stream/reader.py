"""The samples of streamed shards in the order of training, read and decoded by threads before they are asked for."""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from unclip.core.shown import printable
from unclip.data.files.listing import File
from unclip.data.item import Item, key_of, no_picture
from unclip.data.prepare.inspect import EXAMPLES, Examined, workers
from unclip.data.prepare.read import SKIPPED
from unclip.data.stream.course import Course, Window
from unclip.data.stream.index import Index, read_sample
from unclip.data.stream.shards import Shards

Key = tuple[int, int]
"""Of a window: its epoch and number."""
AHEAD = 256
"""Samples that are decoded before their batch is asked for, at the least."""
ENOUGH = 1000
"""After so many samples the share of those that cannot be used says something."""


@dataclass
class Unusable:
    """Samples that could not be used: another stood in for each.

    max_bad: the share of all that may be so. seen: samples that were read; lost: names of those that were no use.
    """

    shards: Shards
    max_bad: float
    write: bool
    seen: int = 0
    lost: set[str] = field(default_factory=set[str])
    lines: list[str] = field(default_factory=list[str])

    @property
    def place(self) -> Path:
        """Where each is named, with the reason."""
        return self.shards.place / SKIPPED

    @cached_property
    def noted(self) -> set[str]:
        """Those that are named there: by the preparation of the sample, or before the run went on."""
        with suppress(OSError, ValueError, KeyError):
            return {json.loads(line)["key"] for line in self.place.read_text(encoding="utf-8").splitlines()}
        return set()

    def add(self, found: Examined) -> None:
        """Notes one, in data/skipped.jsonl, too. Raises ValueError where they are too many."""
        key, why = found.item.key, found.problem or ""
        if key in self.lost:
            return
        self.lost.add(key)
        if self.write and key not in self.noted:
            self.noted.add(key)
            with self.place.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"key": key, "reason": why}, ensure_ascii=False) + "\n")
        count = len(self.lost)
        if count <= EXAMPLES or str(count).strip("0") == "1":
            more = f" ({count:,} so far)" if count > 1 else ""
            self.lines.append(f"! {printable(key)}: {printable(why)}; the next image takes its place{more}")
        if self.seen >= ENOUGH and count > self.max_bad * self.seen:
            raise ValueError(
                f"{count:,} of the first {self.seen:,} images of the stream cannot be used, as {printable(key)}: "
                f"{printable(why)}\nall of them: {self.place}\nput the shards right and begin "
                "a new run, or go on without these images: --max-bad 1"
            )


class Stream:
    """Batches of samples that are decoded as `look` does; batch n is a function of (seed, n) and of the shards.

    A sample that cannot be used leaves its place to the next one of its window, which then comes twice; a window of
    which none can be used, to the next window.

    Args:
        shards: what is streamed.
        look: reads and decodes an item, as `examine`.
        batch: samples of a batch.
        seed: of the order.
        max_bad: the share of the samples that may be of no use.
        write: whether what is found out of the shards is kept for a run that goes on; of several processes one does.
    """

    def __init__(
        self,
        shards: Shards,
        look: Callable[[Item], Examined],
        batch: int,
        seed: int,
        max_bad: float = 1.0,
        write: bool = True,
    ) -> None:
        self.shards, self.look, self.batch, self.write = shards, look, batch, write
        self.files = shards.trained
        self.unusable = Unusable(shards, max_bad, write)
        self._course = Course(len(self.files), self._count, seed)
        self._pool, self._headers = ThreadPoolExecutor(workers(), "decode"), ThreadPoolExecutor(1, "headers")
        self._indices, self._cut = dict[int, Future[Index]](), set[str]()
        self._ahead = dict[int, list[Future[list[Examined]]]]()
        self._mine = slice(None)
        self._coming, self._each = list[int](), 0  # shards behind the window, and how many are looked at with a batch
        self._windows = dict[Key, dict[int, Index]]()
        self._unusable_at = dict[Key, dict[int, Examined]]()  # places of the same windows
        self._useless = dict[Key, object]()  # windows without a sample that can be used

    def samples(self, step: int, mine: slice) -> list[Examined]:
        """These samples of batch number `step`, and the next batches are begun.

        Raises ValueError where a shard is gone or has changed, and where too many samples, or all, cannot be used.
        """
        wanted = range(step, step + max(2, -(-AHEAD // self.batch)) + 1)
        for number in [number for number in self._ahead if number not in wanted or self._mine != mine]:
            for future in self._ahead.pop(number):
                future.cancel()
        self._mine = mine
        for number in wanted:
            if number not in self._ahead:
                self._ahead[number] = [self._begun(place) for place in self._places(number)[mine]]
        places = self._places(step)[mine]
        found = [self._taken(at, f.result()) for at, f in zip(places, self._ahead.pop(step), strict=True)]
        self._look_further()
        return found

    def again(self, step: int, places: list[int]) -> list[Examined]:
        """These samples of a batch that may be over."""
        asked = [self._places(step)[place] for place in places]
        return [self._taken(at, self._begun(at).result()) for at in asked]

    def news(self) -> list[str]:
        """What there is to tell since it was asked last."""
        told, self.unusable.lines = self.unusable.lines, []
        return told

    def _places(self, step: int) -> range:
        return range(step * self.batch, (step + 1) * self.batch)

    def _count(self, shard: int) -> int:
        known = self.shards.counts.get(self.files[shard].name)
        return known[0] if known is not None else len(self._index(shard).rows)

    def _index(self, shard: int) -> Index:
        """Raises ValueError where the shard is gone, or is another one than before."""
        file = self.files[shard]
        found = self._indexing(shard).result()
        if found.cut and file.name not in self._cut:
            self._cut.add(file.name)
            self.unusable.lines.append(f"! {found.cut}; its {len(found.rows):,} images before that are trained on")
        self.shards.note(file, found, self.write)
        return found

    def _indexing(self, shard: int) -> Future[Index]:
        if shard not in self._indices:
            self._indices[shard] = self._headers.submit(self.shards.index, self.files[shard])
        return self._indices[shard]

    def _begun(self, position: int) -> Future[list[Examined]]:
        """The reading of a sample, and of those that stand in for it."""
        window, place = self._placed(position)
        indices = self._windows.get(window.key) or self._entered(window)
        return self._pool.submit(self._read, window, place, indices)

    def _placed(self, position: int) -> tuple[Window, int]:
        """Where a sample lies: in the next window where its own is of no use."""
        window, place = self._course.at(position)
        start = position - place
        while window.key in self._useless:
            start += len(window)
            window, _ = self._course.at(start)
        return window, place % len(window)

    def _entered(self, window: Window) -> dict[int, Index]:
        """Where the samples of a window lie. The window before it is kept, for batches that reach over the border."""
        indices = {shard: self._index(shard) for shard in window.shards}
        *_, before = (None, *self._windows)
        self._windows = {key: kept for key, kept in self._windows.items() if key == before}
        self._windows[window.key] = indices
        self._unusable_at = {key: self._unusable_at.get(key, {}) for key in self._windows}
        self._coming = self._course.next(window)
        self._each = -(-self.batch * len(self._coming) // len(window))
        kept = {shard for one in self._windows.values() for shard in one} | set(self._coming)
        self._indices = {shard: future for shard, future in self._indices.items() if shard in kept}
        return indices

    def _look_further(self) -> None:
        """With each batch the headers of some further shards are read, so that those of the next window are there in
        time, and nothing waits for them at the start."""
        for shard in self._coming[: self._each]:
            self._indexing(shard)
        self._coming = self._coming[self._each :]

    def _read(self, window: Window, place: int, indices: dict[int, Index]) -> list[Examined]:
        """The sample at a place of a window, behind those in whose place it stands; where the whole window is of no
        use, none of them has pixels."""
        tried, unusable = list[Examined](), self._unusable_at.get(window.key, {})
        for further in range(len(window)):
            at = (place + further) % len(window)
            tried.append(unusable.get(at) or self._looked(window, at, indices))
            if tried[-1].pixels is not None:
                return tried
            unusable[at] = tried[-1]
        mine = object()
        if self._useless.setdefault(window.key, mine) is mine:  # of several threads one says so
            self.unusable.lines.append(self._told_of(window, tried[0]))
        return tried

    def _looked(self, window: Window, place: int, indices: dict[int, Index]) -> Examined:
        shard, row = window.sample(place)
        found = self.look(self._item(self.files[shard], indices[shard].rows[row]))
        return replace(found, item=replace(found.item, read=no_picture))  # its bytes are of no more use

    def _told_of(self, window: Window, first: Examined) -> str:
        names = ", ".join(printable(self.files[shard].name) for shard in window.shards[:3])
        why = printable(first.problem or "")
        return f"! {names}: not one of {len(window):,} images can be used, as {why}; the next shards take their place"

    def _item(self, file: File, row: bytes) -> Item:
        return read_sample(self.shards.path(file.name), file, key_of(file.name), row, self.shards.column)

    def _taken(self, position: int, tried: list[Examined]) -> Examined:
        """What was read for a position. Raises ValueError where nothing of an epoch can be used."""
        self.unusable.seen += 1
        asked, _ = self._course.at(position)
        while tried[-1].pixels is None:
            self._note(tried)
            if self._placed(position)[0].epoch > asked.epoch + 1:
                raise ValueError(
                    f"not one of the images can be used, as {printable(tried[0].problem or '')}\nall of them: "
                    f"{self.unusable.place}\nput the shards right and begin a new run"
                )
            tried = self._begun(position).result()
        self._note(tried[:-1])
        return tried[-1]

    def _note(self, unusable: list[Examined]) -> None:
        for one in unusable:
            self.unusable.add(one)

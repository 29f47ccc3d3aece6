"""Where the batches of a run come from: its prepared images, or shards that are streamed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

from unclip.core.typing import Images
from unclip.data.loader import Order, gray, select_rows, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.data.stream.reader import Stream
from unclip.recipes.sources.resident import Resident

Pixels = UInt8[np.ndarray, "b h w c"]
Flags = Bool[np.ndarray, " b"]


@dataclass(frozen=True)
class Taken:
    """Rows of a batch. captions: of each; numbers: of the images in the prepared data, None where there are none.

    images: reads them with 1 or 3 channels, those mirrored that a flag says, float32 [b, c, h, w] in [-1, 1]; they are
    on the CPU, or where they are trained on.
    """

    captions: list[tuple[str, ...]]
    numbers: np.ndarray | None
    images: Callable[[int, Flags | None], Images]


@runtime_checkable
class Rows(Protocol):
    """step -> the rows of a batch, of which each process takes its own."""

    @property
    def batch(self) -> int: ...

    def take(self, step: int, mine: slice) -> Taken:
        """These rows of batch number `step`."""
        ...

    def named(self, step: int, places: Sequence[int]) -> list[str]:
        """What a person knows these rows of a batch by: their paths, and their first captions."""
        ...

    def news(self) -> list[str]:
        """What there is to tell of the data since it was asked last."""
        ...


def rows_of(
    prepared: Prepared, rows: np.ndarray, batch: int, seed: int, stream: Stream | None, device: str = "cpu"
) -> Rows:
    """From the stream where there is one, else from these rows of the prepared data, trained on on this device."""
    return PreparedRows(prepared, rows, batch, seed, device) if stream is None else StreamedRows(stream)


@dataclass(frozen=True, eq=False)
class PreparedRows:
    """Batches of these rows of the prepared data. device: where they are trained on."""

    prepared: Prepared
    rows: np.ndarray
    batch: int
    seed: int
    device: str = "cpu"

    @cached_property
    def order(self) -> Order:
        """Which rows make up which batch."""
        return Order(len(self.rows), self.batch, self.seed)

    @cached_property
    def resident(self) -> Resident | None:
        """The images on the device, where they lie there."""
        return Resident.of(self.prepared.images, self.rows, self.device)

    def take(self, step: int, mine: slice) -> Taken:
        """As of `Rows`."""
        numbers = self.rows[self.order.indices(step)][mine]
        captions = [self.prepared.captions[row] for row in numbers]
        return Taken(captions, numbers, lambda channels, mirrored: self._images(numbers, channels, mirrored))

    def _images(self, numbers: np.ndarray, channels: int, mirrored: Flags | None) -> Images:
        if self.resident is not None:
            return self.resident.take(numbers, channels, mirrored)
        return _tensor(select_rows(self.prepared.images, numbers, channels), mirrored)

    def named(self, step: int, places: Sequence[int]) -> list[str]:
        """As of `Rows`."""
        numbers: list[int] = self.rows[self.order.indices(step)][list(places)].tolist()
        return [_name(self.prepared.keys[row], self.prepared.captions[row]) for row in numbers]

    def news(self) -> list[str]:
        """Nothing: all was told when they were prepared."""
        return []


@dataclass(frozen=True, eq=False)
class StreamedRows:
    """Batches of shards."""

    stream: Stream

    @property
    def batch(self) -> int:
        """Rows of a batch, of all processes together."""
        return self.stream.batch

    def take(self, step: int, mine: slice) -> Taken:
        """As of `Rows`."""
        found = self.stream.samples(step, mine)
        pixels = np.stack([one.pixels for one in found if one.pixels is not None])
        captions = [one.item.captions for one in found]
        return Taken(
            captions, None, lambda channels, mirrored: _tensor(gray(pixels) if channels == 1 else pixels, mirrored)
        )

    def named(self, step: int, places: Sequence[int]) -> list[str]:
        """As of `Rows`."""
        return [_name(one.item.key, one.item.captions) for one in self.stream.again(step, list(places))]

    def news(self) -> list[str]:
        """As of `Rows`."""
        return self.stream.news()


def _tensor(pixels: Pixels, mirrored: Flags | None) -> Images:
    if mirrored is not None:
        pixels[mirrored] = pixels[mirrored, :, ::-1]
    return to_tensor(pixels)


def _name(key: str, captions: tuple[str, ...]) -> str:
    return " ".join([key, *(f'"{caption}"' for caption in captions[:1])])

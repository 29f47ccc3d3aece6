"""The lines of captions.jsonl, read where they are asked for: of a million only their places are held in memory."""

import hashlib
import json
import mmap
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, SupportsIndex, TypeVar, overload

import numpy as np

T = TypeVar("T")
BLOCK = 1 << 22
"""Bytes that are read at once."""


class Lines:
    """The lines of a file of JSON, by their numbers. `sha256` is that of the file, in hex.

    Raises OSError where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, (self.sha256, self._ends) = path, _measured(path)
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if len(self._ends) else b""

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        """What a line says. Raises IndexError, and ValueError where it has been damaged since the file was opened."""
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        line = self._bytes[self._ends[number - 1] if number else 0 : self._ends[number]]
        try:
            return json.loads(line.decode())
        except ValueError as error:
            told = f"{self.path}: line {number + 1} is damaged, and was not when it was opened ({error}); start again"
            raise ValueError(told) from error


def _measured(path: Path) -> tuple[str, np.ndarray]:
    """The SHA-256 of a file, and where its lines end, in one pass."""
    hashed, ends, place = hashlib.sha256(), [np.empty(0, dtype=np.int64)], 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hashed.update(block)
            ends.append(np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")) + (place + 1))
            place += len(block)
    return hashed.hexdigest(), np.concatenate(ends)


@dataclass(frozen=True, eq=False)
class Column(Sequence[T], Generic[T]):
    """One thing that each line says. name: its name there; of: makes it of what JSON has."""

    lines: Lines
    name: str
    of: Callable[[Any], T]

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        return self.of(self.lines[index][self.name])

    def __iter__(self) -> Iterator[T]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True)
class Texts:
    """Every caption of a data set in its order, as often as they are asked for."""

    captions: Sequence[tuple[str, ...]]

    def __iter__(self) -> Iterator[str]:
        return (caption for several in self.captions for caption in several)

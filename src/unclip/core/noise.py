"""Every random number of the project comes from here.

Two ways to draw:

- `Noise.per_sample(seeds)`: sample i has a generator of its own, so its numbers do not depend on the batch it is in
  (inference: the same seed gives the same image alone, in a batch and after a restart).
- `Noise.shared(seed, rank, step)`: one generator for a whole training batch, keyed by where the training stands, so
  a resumed run draws what an uninterrupted one draws.

A seed is any whole number and all of its digits count: torch's own CPU generator reads 32 bits of it (`seeded`).
"""

import hashlib
import operator
from collections import abc
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from unclip.core.untyped import forked_generators, seed_everywhere


def derive(*parts: int | str) -> int:
    """A 63-bit seed from any key: the first eight bytes of BLAKE2b over the parts."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seeded(generator: Generator, seed: int) -> Generator:
    """The generator, set to the stream of this seed, of which every bit counts.

    On the CPU it is a Mersenne Twister that `manual_seed` starts from 32 bits. The upper 32 bits start another one, and
    624 numbers of that are added to the state by XOR. The twister is linear in its state over GF(2), so two seeds with
    equal lower halves give streams that differ by a stream of random words.
    Raises RuntimeError where this torch lays its generator out otherwise.
    """
    seed = seed if 0 <= seed < 2**64 else derive(seed)
    if generator.device.type != "cpu":
        return generator.manual_seed(seed)
    upper, lower = divmod(seed, 2**32)
    generator.manual_seed(lower)
    if upper:
        state = generator.get_state()
        words = state[_TWISTER].view(torch.int64)  # shares the memory of `state`
        if words[0] != lower:
            raise RuntimeError(
                f"torch {torch.__version__} keeps its random numbers in another form; use torch 2.6 to 2.14"
            )
        more = torch.empty(len(words), dtype=torch.int64)
        words ^= more.random_(0, 2**32, generator=Generator().manual_seed(upper))
        generator.set_state(state)
    return generator


_TWISTER = slice(24, 24 + 624 * 8)
"""The bytes of a CPU generator's state that hold the 624 words of the twister, 64 bits each."""


@dataclass(frozen=True)
class Rows:
    """A part of a batch: `count` rows from `first` on, of `total`."""

    first: int
    count: int
    total: int

    def within(self, start: int, stop: int) -> "Rows":
        """Those of them that lie in rows `start` to `stop` of the batch, as rows of that part; there may be none."""
        first, last = (min(max(row, start), stop) for row in (self.first, self.first + self.count))
        return Rows(first - start, last - first, stop - start)


@dataclass(frozen=True)
class Noise:
    """A keyed stream of random numbers: the same key gives the same numbers.

    Make one with `Noise.per_sample(seeds)` to sample, or `Noise.shared(seed, "training", step)` to train. Drawing
    advances the stream; `fork` gives an independent one. `of(rows)` gives a part of a batch the numbers that its rows
    have in the whole batch, whoever has the others.
    """

    seeds: tuple[int, ...]
    batched: bool
    device: torch.device
    rows: Rows | None = None

    @classmethod
    def per_sample(cls, seeds: Sequence[int], device: torch.device | str = "cpu") -> "Noise":
        """Makes one stream for each sample of a batch, so that sample i does not depend on the others.

        The numbers are drawn on the CPU, so a seed gives the same image on every device. Raises ValueError for a seed
        that is not a whole number.
        """
        return cls(tuple(whole(seed) for seed in seeds), False, torch.device(device))

    @classmethod
    def shared(cls, *key: int | str, device: torch.device | str = "cpu") -> "Noise":
        """Makes one stream for a whole batch, with a key of numbers and words, such as (seed, rank, step)."""
        return cls((derive(*key),), True, torch.device(device))

    def fork(self, name: str) -> "Noise":
        """An independent stream of this name: what is drawn from it never shifts the numbers of others."""
        return replace(self, seeds=tuple(derive(s, name) for s in self.seeds))

    def of(self, rows: Rows | None) -> "Noise":
        """The numbers of these rows of a batch; None: of all."""
        assert self.batched, "samples have streams of their own"
        return replace(self, rows=rows)

    def part(self, own: int) -> Rows:
        """Which rows of the whole batch this part's `own` ones are."""
        return self.rows or Rows(0, own, own)

    def total(self, own: int) -> int:
        """How many rows the whole batch has, of which this part has `own`."""
        return self.part(own).total

    def own(self, whole: Tensor) -> Tensor:
        """This part's rows of something that was drawn for the whole batch."""
        return whole if self.rows is None else whole[self.rows.first : self.rows.first + self.rows.count]

    @classmethod
    def cat(cls, streams: Sequence["Noise"]) -> "Noise":
        """The streams of several batches as those of one batch, for sampling: sample i draws as it does in its own."""
        assert not any(stream.batched for stream in streams), "a stream of a whole batch has no samples"
        return cls(tuple(seed for stream in streams for seed in stream.seeds), False, streams[0].device)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Draws from the normal distribution N(0, 1): float32 of the given shape, the batch first."""
        return self._draw(shape, lambda s, g: torch.randn(s, generator=g, device=g.device))

    def uniform(self, shape: Sequence[int], common: bool = False) -> Tensor:
        """Draws evenly from [0, 1): float32 of the given shape, the batch first.

        common: of any shape, the same for all parts of a batch.
        """
        return self._draw(shape, lambda s, g: torch.rand(s, generator=g, device=g.device), common)

    def integers(self, high: int, shape: Sequence[int]) -> Tensor:
        """Draws whole numbers evenly from [0, high): int64 of the given shape, the batch first."""
        return self._draw(shape, lambda s, g: torch.randint(high, s, generator=g, device=g.device))

    def anew(self) -> "Noise":
        """The same numbers from their beginning."""
        return replace(self)

    @property
    def position(self) -> list[Tensor]:
        """How much of the stream is drawn: what `go_to` takes to draw from here once more."""
        return [generator.get_state() for generator in self._generators]

    def go_to(self, position: Sequence[Tensor]) -> None:
        """Goes on from there."""
        for generator, state in zip(self._generators, position, strict=True):
            generator.set_state(state)

    @cached_property
    def _generators(self) -> list[Generator]:
        device = self.device if self.batched else torch.device("cpu")
        return [seeded(Generator(device=device), s) for s in self.seeds]

    def _draw(
        self, shape: Sequence[int], make: Callable[[Sequence[int], Generator], Tensor], common: bool = False
    ) -> Tensor:
        if self.batched and (common or self.rows is None):
            return make(tuple(shape), self._generators[0])
        if self.rows is not None:
            assert shape[0] == self.rows.count, f"{shape[0]} rows are not the {self.rows.count} of this part"
            return self.own(make((self.rows.total, *shape[1:]), self._generators[0]))
        assert shape[0] == len(self.seeds), f"{len(self.seeds)} seeds cannot fill a batch of {shape[0]}"
        if not self.seeds:
            return make(tuple(shape), Generator()).to(self.device)
        return torch.stack([make(tuple(shape[1:]), g) for g in self._generators]).to(self.device)


def whole(seed: Any) -> int:
    """The seed as a plain int. Raises ValueError where it is not a whole number: 1.5 would be the image of 1."""
    try:
        return operator.index(seed)
    except TypeError:
        raise ValueError(f"seed = {seed!r}: expected a whole number") from None


@contextmanager
def initial_weights(*key: int | str) -> abc.Generator[None, None, None]:
    """Inside, new modules draw their first weights from this key; torch's global generator is left as it was."""
    with forked_generators():
        seed = derive(*key)
        seed_everywhere(seed)  # of every device; then that of the CPU with all of its digits
        seeded(torch.default_generator, seed)
        yield

"""Every random number of the project comes from here.

Two ways to draw:

- `Noise.per_sample(seeds)`: sample i has a generator of its own, so its numbers do not depend on the batch it is in
  (inference: the same seed gives the same picture alone, in a batch and after a restart).
- `Noise.shared(seed, rank, step)`: one generator for a whole training batch, keyed by where the training stands, so
  a resumed run draws what an uninterrupted one draws.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor


def derive(*parts: int | str) -> int:
    """A 63-bit seed from any key: the first eight bytes of BLAKE2b over the parts."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True)
class Noise:
    """A keyed stream of random numbers. Drawing advances the stream; `fork` gives an independent one."""

    seeds: tuple[int, ...]
    batched: bool
    device: torch.device

    @classmethod
    def per_sample(cls, seeds: Sequence[int], device: torch.device | str = "cpu") -> "Noise":
        """One stream a sample. Numbers are drawn on the CPU, so a seed means the same picture on every device."""
        return cls(tuple(int(s) for s in seeds), False, torch.device(device))

    @classmethod
    def shared(cls, *key: int | str, device: torch.device | str = "cpu") -> "Noise":
        """One stream for a batch, keyed for example by (seed, rank, step)."""
        return cls((derive(*key),), True, torch.device(device))

    def fork(self, name: str) -> "Noise":
        """An independent stream for a part, so that a draw added in one part never shifts another."""
        return Noise(tuple(derive(s, name) for s in self.seeds), self.batched, self.device)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """N(0, 1) of the given shape, float32."""
        return self._draw(shape, lambda s, g: torch.randn(s, generator=g, device=g.device))

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """U[0, 1) of the given shape, float32."""
        return self._draw(shape, lambda s, g: torch.rand(s, generator=g, device=g.device))

    def integers(self, high: int, shape: Sequence[int]) -> Tensor:
        """Uniform integers in [0, high), int64."""
        return self._draw(shape, lambda s, g: torch.randint(high, s, generator=g, device=g.device))

    @cached_property
    def _generators(self) -> list[Generator]:
        device = self.device if self.batched else torch.device("cpu")
        return [Generator(device=device).manual_seed(s) for s in self.seeds]

    def _draw(self, shape: Sequence[int], make: Callable[[Sequence[int], Generator], Tensor]) -> Tensor:
        if self.batched:
            return make(tuple(shape), self._generators[0])
        assert shape[0] == len(self.seeds), f"{len(self.seeds)} seeds cannot fill a batch of {shape[0]}"
        return torch.stack([make(tuple(shape[1:]), g) for g in self._generators]).to(self.device)


@contextmanager
def initial_weights(*key: int | str) -> Iterator[None]:
    """Inside, new modules draw their first weights from this key; torch's global generator is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(derive(*key))
        yield

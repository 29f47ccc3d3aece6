"""The drawn-shapes world: a synthetic captioned data set in which an image can be read back exactly.

A scene is one to three objects on white, each a shape in a colour and a size. Four of the 24 (colour, shape) pairs are
held out of training, so a model can be asked for combinations it has never seen; which four, the seed says (`pairs`).
`parse` reads images back.

    >>> world = World(size=32)
    >>> image, captions, scene = next(world.sample(1, seed=0))
    >>> image.shape
    (32, 32, 3)
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import accumulate, combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unclip.data.item import Item
from unclip.data.shapes import captions
from unclip.data.shapes import draw as shapes_draw
from unclip.data.shapes.captions import Pairs
from unclip.data.shapes.draw import COLOURS, RADII, SHAPES, UNIT, Kind, Object
from unclip.data.shapes.pairs import Pair, named, pairs_of, told

Placing = NDArray[np.float64]

SIZES: tuple[str, ...] = tuple(RADII)
MARGIN, GAP, CLEAR = 1.0, 2.0, 4.0
"""Px at 32: to the edge of the canvas, between two objects' boxes, and between |dx| and |dy| of two related objects."""
_TRIES, _ROUNDS = 256, 200
KIND = "drawn shapes"
"""What such data are called, in their report and wherever they are prepared."""


@dataclass(frozen=True)
class Scene:
    """Objects that do not overlap, on a white canvas of `size` x `size` px."""

    objects: tuple[Object, ...]
    size: int = UNIT

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(thing.kind for thing in self.objects)

    @property
    def relation(self) -> str | None:
        """How the first of two objects stands to the second; None for one or three objects, where none is promised."""
        return captions.relation(*self.objects) if len(self.objects) == 2 else None


@dataclass(frozen=True)
class World:
    """Drawn shapes with captions: a distribution over scenes, and a data set (`Source`) of some of them.

    Args:
        size: side of the canvas in px, 32 or 64.
        held_out: (colour, shape) pairs that "seen" scenes never show; None: the set number seed % 6 of `PAIR_SETS`.
        counts: number of objects -> probability; 1 to 3 objects.
        seed: of the data set; scene i depends on (seed, i) only, and not on the size.
        scenes: number of scenes in the data set.

    Raises:
        ValueError: for another size, a pair or count outside the world, or probabilities that do not sum to 1.
    """

    size: int = UNIT
    held_out: frozenset[Pair] | None = None
    counts: Mapping[int, float] = field(default_factory=lambda: {1: 0.45, 2: 0.45, 3: 0.1}, hash=False)
    seed: int = 0
    scenes: int = 20_000

    def __post_init__(self) -> None:
        if self.size not in (32, 64):
            raise ValueError(f"size {self.size} is not supported; use 32 or 64")
        if strange := [p for p in self.unseen_pairs if p[0] not in COLOURS or p[1] not in SHAPES]:
            raise ValueError(f"held_out has {strange}; use (colour, shape) from {tuple(COLOURS)} and {SHAPES}")
        if not set(self.counts) <= {1, 2, 3} or abs(sum(self.counts.values()) - 1.0) > 1e-6:
            raise ValueError(f"counts {dict(self.counts)} must give 1, 2 or 3 objects probabilities that sum to 1")

    @property
    def unseen_pairs(self) -> frozenset[Pair]:
        """The (colour, shape) pairs that no training image shows."""
        return pairs_of(self.seed) if self.held_out is None else self.held_out

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of these data: the pairs that they leave out."""
        return (told(self.unseen_pairs),)

    def scene(self, rng: np.random.Generator, count: int | None = None, pairs: Pairs | Pair = "seen") -> Scene:
        """Draws a scene of `count` objects at random; None: their number is drawn from `counts`, too.

        "seen" objects all have training pairs; in an "unseen" scene exactly one has a held-out pair: any of them, or
        the one that `pairs` names. Sizes that do not fit on the canvas are drawn again, so crowded scenes tend to have
        small objects.
        """
        wanted = self._count(rng) if count is None else count
        if wanted not in (1, 2, 3):
            raise ValueError(f"a scene has 1, 2 or 3 objects, not {wanted}; ask for one of these")
        for _ in range(_ROUNDS):
            kinds = self._kinds(rng, wanted, pairs)
            places = _place([RADII[size] for _, _, size in kinds], rng)
            if places is not None:
                centres = (places * (self.size / UNIT)).tolist()
                return Scene(tuple(Object(*k, x, y) for k, (x, y) in zip(kinds, centres, strict=True)), self.size)
        raise AssertionError(f"no room for {wanted} objects in {_ROUNDS} rounds, though small ones always fit")

    def draw(self, scene: Scene) -> NDArray[np.uint8]:
        """Paints a scene: uint8 RGB, [size, size, 3]."""
        return shapes_draw.draw(scene.objects, scene.size)

    def sample(self, n: int, seed: int = 0) -> Iterator[tuple[NDArray[np.uint8], tuple[str, ...], Scene]]:
        """Yields n training examples: image, one or two captions, scene. Example i depends on (seed, i) only."""
        for scene, texts in self._captioned(n, seed):
            yield self.draw(scene), texts, scene

    def __iter__(self) -> Iterator[Item]:
        """The data set: `scenes` captioned images, each drawn when it is read."""
        for index, (scene, texts) in enumerate(self._captioned(self.scenes, self.seed)):
            yield Item(f"scene-{index:06d}", partial(self.draw, scene), texts, quick=True)

    @property
    def root(self) -> Path:
        """The word by which the command line knows this data set, as it is not a file."""
        return Path("shapes")

    @property
    def kind(self) -> str:
        """The name of this kind of data, for reports."""
        return KIND

    def fingerprint(self) -> str:
        """A SHA-256 in hex over all that makes the scenes what they are; the same for each size."""
        parts = (sorted(self.unseen_pairs), sorted(self.counts.items()), self.seed, self.scenes)
        return hashlib.sha256(f"{KIND} {parts}".encode()).hexdigest()

    def at(self, size: int) -> World:
        """The same scenes on a canvas of another size. Raises ValueError for another than 32 or 64 px."""
        return replace(self, size=size)

    def _captioned(self, n: int, seed: int) -> Iterator[tuple[Scene, tuple[str, ...]]]:
        for index in range(n):
            rng = np.random.default_rng((seed, index))
            scene = self.scene(rng)
            yield scene, captions.captions(scene.kinds, scene.relation, rng)

    def _count(self, rng: np.random.Generator) -> int:
        numbers = tuple(self.counts)
        place = bisect_right(list(accumulate(self.counts.values())), rng.random())
        return numbers[min(place, len(numbers) - 1)]

    def _kinds(self, rng: np.random.Generator, count: int, pairs: Pairs | Pair) -> list[Kind]:
        """Different kinds; the first of an "unseen" scene is held out, and the order is then shuffled."""
        seen, unseen = _pools(self.unseen_pairs)
        if pairs not in ("seen", "unseen"):
            unseen = [pair for pair in unseen if pair == pairs]
        if pairs != "seen" and not unseen:
            which = "no pair" if pairs == "unseen" else f"no {named(pairs)}"
            raise ValueError(f"this world holds out {which}; give it held_out to draw unseen scenes")
        kinds: list[Kind] = []
        while len(kinds) < count:
            pool = seen if pairs == "seen" or kinds else unseen
            colour, shape = pool[int(rng.integers(len(pool)))]
            kind = (shape, colour, SIZES[int(rng.integers(len(SIZES)))])
            if kind not in kinds:
                kinds.append(kind)
        return [kinds[i] for i in rng.permutation(count)]


@lru_cache
def _pools(held_out: frozenset[Pair]) -> tuple[list[Pair], list[Pair]]:
    """The (colour, shape) pairs of training images, and those that are held out."""
    every = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    return [pair for pair in every if pair not in held_out], [pair for pair in every if pair in held_out]


def _place(radii: list[float], rng: np.random.Generator) -> Placing | None:
    """Centres [n, 2] in px at 32 for objects of these radii: the first of `_TRIES` uniform draws that fits, or None."""
    edge = np.asarray(radii)[:, None] + MARGIN
    tries = _TRIES if len(radii) > 1 else 1
    places = edge + rng.random((tries, len(radii), 2)) * (UNIT - 2 * edge)
    fits = np.ones(tries, dtype=bool)
    for i, j in combinations(range(len(radii)), 2):
        apart = np.abs(places[:, i] - places[:, j])
        fits &= np.maximum(apart[:, 0], apart[:, 1]) >= radii[i] + radii[j] + GAP
        if len(radii) == 2:
            # One relation, and one only, must be true of two objects.
            fits &= np.abs(apart[:, 0] - apart[:, 1]) >= CLEAR
    return places[int(np.argmax(fits))] if fits.any() else None

"""Captions of drawn scenes, and prompts whose answer can be checked.

A caption names every object by size, colour and shape. Two objects are joined by "and" in one half of the captions and
by their spatial relation in the other; three are listed. The whole language has fewer than 40 words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np

from unclip.data.shapes.draw import Kind
from unclip.data.shapes.pairs import Pair, by_shape

Pairs = Literal["seen", "unseen"]
"""Scenes of training pairs only, or with one held-out (colour, shape) pair."""

RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above",),
    "below": ("below", "under"),
}
"""The four relations, each with the ways to say it."""
INVERSE: dict[str, str] = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
CATEGORIES: tuple[str, ...] = ("one_seen", "one_unseen", "two_seen", "two_unseen", "relation", "three_seen")
_OPENINGS = ("", "there is ", "a picture of ")
_COUNTS = {"one": 1, "two": 2, "relation": 2, "three": 3}


@runtime_checkable
class Placed(Protocol):
    """Anything with a centre: `x` rightwards, `y` downwards, in px."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...


@runtime_checkable
class Told(Protocol):
    """What a prompt needs of a scene; `world.Scene` is one."""

    @property
    def kinds(self) -> tuple[Kind, ...]: ...
    @property
    def relation(self) -> str | None: ...


S = TypeVar("S", bound=Told, covariant=True)


@runtime_checkable
class Scenes(Protocol[S]):
    """Where prompts come from; `world.World` is one. (It captions its scenes, so it imports this module.)"""

    @property
    def unseen_pairs(self) -> frozenset[Pair]: ...
    def scene(self, rng: np.random.Generator, count: int | None = None, pairs: Pairs | Pair = "seen") -> S: ...


@dataclass(frozen=True)
class Prompt:
    """A text with the one reading it has: which objects, and how the first stands to the second (None: anyhow).

    unseen: the (colour, shape) pair of an object that training images never show; None: it shows all of them.
    """

    text: str
    objects: tuple[Kind, ...]
    relation: str | None = None
    category: str = ""
    unseen: Pair | None = None


def relation(a: Placed, b: Placed) -> str:
    """How `a` stands to `b` along the axis on which they are farther apart: "left of", "right of", "above", "below"."""
    dx, dy = a.x - b.x, a.y - b.y
    if abs(dx) >= abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def name(kind: Kind, article: str = "a") -> str:
    """ "a small red circle" for ("circle", "red", "small")."""
    shape, colour, size = kind
    return f"{article} {size} {colour} {shape}"


def listing(kinds: Sequence[Kind], rng: np.random.Generator) -> str:
    """Name the objects in the order given: "a ... and a ...", "one ..., one ... and one ...", "there is a ..."."""
    article = _pick(("a", "a", "a", "one"), rng)
    opening = _pick(_OPENINGS, rng) if article == "a" and len(kinds) < 3 else ""
    *others, last = (name(kind, article) for kind in kinds)
    return opening + (f"{', '.join(others)} and {last}" if others else last)


def relating(first: Kind, related: str, second: Kind, rng: np.random.Generator) -> str:
    """Say how the first object stands to the second: "a ... to the left of a ..."."""
    opening = _pick(("", "", "there is "), rng)
    return f"{opening}{name(first)} {_pick(RELATION_WORDS[related], rng)} {name(second)}"


def _relating_either(kinds: Sequence[Kind], related: str, rng: np.random.Generator) -> str:
    first, second = kinds
    if rng.random() < 0.5:
        return relating(first, related, second, rng)
    return relating(second, INVERSE[related], first, rng)


def _shuffled(kinds: Sequence[Kind], rng: np.random.Generator) -> list[Kind]:
    return [kinds[i] for i in rng.permutation(len(kinds))]


def _another_listing(kinds: Sequence[Kind], before: str, rng: np.random.Generator) -> str:
    # Some phrasing always differs (another opening or article), so this ends; a repeat has a chance below 1 / 2.
    while (text := listing(_shuffled(kinds, rng), rng)) == before:
        pass
    return text


def captions(kinds: Sequence[Kind], related: str | None, rng: np.random.Generator) -> tuple[str, ...]:
    """One or two different captions of a scene, equally likely.

    `related` is the relation of the first object to the second, None where there is none to tell. With it, one caption
    is a list or a relation by the toss of a coin and two are one of each: half of all captions tell the relation.
    """
    listed = listing(_shuffled(kinds, rng), rng)
    two = rng.random() < 0.5
    if related is None:
        return (listed, _another_listing(kinds, listed, rng)) if two else (listed,)
    told = _relating_either(kinds, related, rng)
    if two:
        return (listed, told) if rng.random() < 0.5 else (told, listed)
    return (listed,) if rng.random() < 0.5 else (told,)


def prompts(world: "Scenes[Told]", category: str, n: int, seed: int = 0) -> list[Prompt]:
    """The prompts of `prompts_with_scenes`, which raises ValueError for an unknown category."""
    return [prompt for prompt, _ in prompts_with_scenes(world, category, n, seed)]


def prompts_with_scenes(world: "Scenes[S]", category: str, n: int, seed: int = 0) -> list[tuple[Prompt, S]]:
    """`n` prompts of one of `CATEGORIES`, each with the scene it was written for; prompt i depends on (seed, i) only.

    "two_*" and "three_*" list the objects, so they test binding alone; "relation" has two seen objects and tells how
    they stand. "unseen" prompts have one object whose (colour, shape) the training images never show; they take the
    world's unseen pairs in turn.

    Raises:
        ValueError: if the category is not one of `CATEGORIES`, and for unseen prompts of a world without unseen pairs.
    """
    if category not in CATEGORIES:
        raise ValueError(f"unknown prompt category {category!r}; use one of {', '.join(CATEGORIES)}")
    # The category is part of the key, so that categories do not share scenes; 0x5A keeps off training's (seed, index).
    key = (seed, CATEGORIES.index(category), 0x5A)
    unseen = by_shape(world.unseen_pairs) if category.endswith("unseen") else []
    return [
        _posed(world, category, unseen[i % len(unseen)] if unseen else None, np.random.default_rng((*key, i)))
        for i in range(n)
    ]


def scored_prompts(
    world: "Scenes[S]", n: int, seed: int = 0, categories: Sequence[str] = CATEGORIES
) -> list[tuple[Prompt, S]]:
    """n prompts of each category with their scenes; of an unseen one so many more that each pair has equally many."""
    pairs = max(1, len(world.unseen_pairs))
    numbers = {c: -(-n // pairs) * pairs if c.endswith("unseen") else n for c in categories}
    return [asked for c, number in numbers.items() for asked in prompts_with_scenes(world, c, number, seed)]


def _posed(world: Scenes[S], category: str, unseen: Pair | None, rng: np.random.Generator) -> tuple[Prompt, S]:
    pairs: Pairs = "unseen" if category.endswith("unseen") else "seen"
    scene = world.scene(rng, count=_COUNTS[category.split("_")[0]], pairs=unseen or pairs)
    kinds = scene.kinds
    if category == "relation" and scene.relation is not None:
        return Prompt(relating(kinds[0], scene.relation, kinds[1], rng), kinds, scene.relation, category), scene
    return Prompt(listing(kinds, rng), kinds, None, category, unseen), scene

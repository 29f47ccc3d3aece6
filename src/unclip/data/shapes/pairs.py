"""Which pairs of colour and shape the training images of a drawn world never show: six sets of four, in two pools.

What a model makes of a pair that it has never seen differs far more between pairs than between images of one pair, and
a pair that settings were tuned on is no longer unseen. So the 24 pairs are parted into six sets, and a world takes the
set number seed % 6: sets 0 to 2 are for development, sets 3 to 5 for published figures only.
"""

from typing import Literal

from unclip.data.shapes.draw import COLOURS, SHAPES

Pair = tuple[str, str]
"""(colour, shape), as ("red", "triangle")."""
Pool = Literal["development", "test"]

_FIRST: tuple[Pair, ...] = (("red", "triangle"), ("blue", "circle"), ("yellow", "cross"), ("black", "square"))
_COLOURS = tuple(COLOURS)


def _shifted(pair: Pair, by: int) -> Pair:
    colour, shape = pair
    return _COLOURS[(_COLOURS.index(colour) + by) % len(_COLOURS)], shape


PAIR_SETS: tuple[frozenset[Pair], ...] = tuple(frozenset(_shifted(p, k) for p in _FIRST) for k in range(len(_COLOURS)))
"""Each has every shape once, in four different colours (a partial Latin square); together they hold all pairs. Set k is
set 0 with each colour moved on by k places."""
DEVELOPMENT = 3
"""The first so many sets are for development, the others for tests."""


def pairs_of(seed: int) -> frozenset[Pair]:
    """The pairs that the world of this seed leaves out of its training images."""
    return PAIR_SETS[seed % len(PAIR_SETS)]


def pool(pairs: frozenset[Pair]) -> tuple[int, Pool] | None:
    """(number of the set, the pool it belongs to); None for pairs that are none of the sets."""
    if pairs not in PAIR_SETS:
        return None
    number = PAIR_SETS.index(pairs)
    return number, "development" if number < DEVELOPMENT else "test"


def named(pair: Pair) -> str:
    """ "red triangle" for ("red", "triangle")."""
    return " ".join(pair)


def told(pairs: frozenset[Pair]) -> str:
    """Which pairs are left out, and what for, as a line for a person."""
    if not pairs:
        return "every pair of colour and shape is shown"
    names, found = ", ".join(named(pair) for pair in by_shape(pairs)), pool(pairs)
    if found is None:
        return f"never shown: {names} (none of the six sets)"
    number, whose = found
    use = "for published figures only" if whose == "test" else "published figures take --seed 3, 4 and 5"
    return f"never shown: {names} (set {number} of 0 to 5, {whose} pool: {use})"


def by_shape(pairs: frozenset[Pair]) -> list[Pair]:
    """The pairs in an order of their own: by shape, then by colour."""
    return sorted(pairs, key=lambda pair: (SHAPES.index(pair[1]), _COLOURS.index(pair[0])))

"""The range of a number, declared at its field: `batch: Annotated[int, Range(1, 65536)]`.

`core.config.base` checks it wherever settings are made, in Python and from files. Not a number is never in a range;
infinity is only where a range ends there.
"""

import math
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Union, cast, get_args, get_origin

from unclip.core.shown import printable

LONGEST = 80
"""Letters of a value that a message quotes."""


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may take: `batch: Annotated[int, Range(1, 65536)]`.

    Args:
        low: the smallest number.
        high: the largest number.
        above: whether `low` itself is excluded.
        below: whether `high` itself is excluded.
    """

    low: int | float
    high: int | float
    above: bool = False
    below: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a number lies in the range."""
        low = self.low < value if self.above else self.low <= value
        return low and (value < self.high if self.below else value <= self.high)

    def words(self) -> str:
        """The range in words that follow "a number": "from 0 to 1", "above 0 and at most 1", "from 0 and below 1"."""
        if math.isinf(self.low):
            return "or inf, -inf"
        low = f"above {plain(self.low)}" if self.above else f"from {plain(self.low)}"
        if math.isinf(self.high):
            return low if self.above else f"{low} on"
        if self.below:
            return f"{low} and below {plain(self.high)}"
        return f"{low} and at most {plain(self.high)}" if self.above else f"{low} to {plain(self.high)}"


def plain(number: int | float) -> str:
    """A bound without needless zeros: 1, 0.001, 1e+09."""
    return str(number) if isinstance(number, int) else f"{number:.12g}"


@dataclass(frozen=True)
class Length:
    """How many values a list has, at least and at most."""

    low: int
    high: int

    def holds(self, value: Any) -> bool:
        """Whether a list is as long as that."""
        return self.low <= len(value) <= self.high

    def words(self) -> str:
        """ "1 to 8 values"."""
        return f"{self.low} to {self.high} values"


SIGNED = 1e6
"""Levels, means and shifts are measured in units near 1: what is farther out than this is a slip of the hand."""

Count = Annotated[int, Range(1, 65536)]
"""A whole number from 1 to 65,536: of channels, features, samples in a batch."""
CountOrNone = Annotated[int, Range(0, 65536)]
"""A whole number from 0 to 65,536, where 0 means that there is none."""
Depth = Annotated[int, Range(1, 256)]
"""Layers, heads and blocks, each of which costs time to build."""
DepthOrNone = Annotated[int, Range(0, 256)]
"""The same, where 0 means that there is none."""
Side = Annotated[int, Range(1, 4096)]
"""Of an image, pixels."""
Steps = Annotated[int, Range(1, 100_000)]
"""Of a sampler or a solver."""
Fraction = Annotated[float, Range(0, 1)]
"""A number from 0 to 1: a part of a whole, or a probability."""
Positive = Annotated[float, Range(0, SIGNED, above=True)]
"""A number above 0: a scale that cannot be off."""
Weight = Annotated[float, Range(0, SIGNED)]
"""A number from 0: a scale or a weight, where 0 means off."""
Signed = Annotated[float, Range(-SIGNED, SIGNED)]
"""A number of either sign: a level, a mean or a shift."""
Spread = Annotated[float, Range(1e-3, 1e3)]
"""A standard deviation or an exponent, from 0.001 to 1,000."""
Share = Annotated[float, Range(0, 1e6)]
"""Of a run's budget; what is added to a finished run may take longer than the run."""
Patch = Annotated[int, Range(1, 256)]
"""Side of the squares that a network takes together, pixels."""
Widths = Annotated[tuple[Count, ...], Length(1, 8)]
"""Channels of the levels of a network; the side is halved from one to the next."""
Blocks = Annotated[tuple[DepthOrNone, ...], Length(1, 8)]
"""How many blocks each of these levels has."""
Beta = Annotated[float, Range(0, 1, above=True, below=True)]
"""The variance that one step of a chain adds."""
TableLength = Annotated[int, Range(2, 100_000)]
"""T."""
Limit = Annotated[float, Range(0, 20, above=True)]
"""A clip of the log-SNR to +-limit that leaves a schedule, and float32."""
Sigma = Annotated[float, Range(1e-6, 1e6)]
"""sigma/alpha."""


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows: `str | Sampler | None` allows three."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def unpacked(hint: Any) -> tuple[Any, list[Range | Length]]:
    """A type without its annotations, and the ranges among these."""
    if get_origin(hint) is not Annotated:
        return hint, []
    plain, *notes = get_args(hint)
    return plain, [note for note in notes if isinstance(note, Range | Length)]


def quote(value: Any) -> str:
    """A value as a message quotes it: escaped, and not longer than a line."""
    try:
        return printable(repr(value), LONGEST)
    except (ValueError, RecursionError):  # a number of thousands of digits, lists within lists
        return f"a {type(value).__name__} too long to show"


def expected(kind: type, ranges: list[Range | Length]) -> str:
    """ "a whole number from 1 to 64"."""
    name = "a whole number" if kind is int else "a number"
    return " ".join([name, *(r.words() for r in ranges)])


def is_number(value: Any, kind: type) -> bool:
    """Whether a value may stand for an int, or for a float: no bool, no nan, and no int that is beyond all floats."""
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real) or value != value:
        return False
    return kind is int or not isinstance(value, Integral) or abs(int(value)) <= sys.float_info.max


def faults(hint: Any, value: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    """(place, value, what was expected) of every number below a field's value that is out of its range."""
    hint, ranges = unpacked(hint)
    if hint in (int, float):
        if not (is_number(value, hint) and all(r.holds(value) for r in ranges)):
            yield path, value, expected(hint, ranges)
    elif get_origin(hint) is tuple and isinstance(value, tuple):
        yield from ((path, value, r.words()) for r in ranges if not r.holds(value))
        inner = get_args(hint)
        parts = cast("tuple[object, ...]", value)
        for i, part in enumerate(parts):
            yield from faults(inner[0] if inner[-1] is Ellipsis else inner[i], part, f"{path}[{i}]")
    elif value is not None and not is_dataclass(value):  # whose own numbers were checked when it was made
        for option in get_args(hint):
            if unpacked(option)[0] in (int, float) or get_origin(unpacked(option)[0]) is tuple:
                yield from faults(option, value, path)

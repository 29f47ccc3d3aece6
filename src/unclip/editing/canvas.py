"""An image on a larger canvas that is empty around it, at each size at which a run's models see it."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from unclip.editing.hole import Hole, Pixels, pasted, shrunk

MOST = 4.0
"""An image grows by at most so many of its sides."""
Value = TypeVar("Value", bound=np.generic)
Margins = tuple[tuple[int, int], tuple[int, int]]
"""((above, below), (left, right)), px."""


@dataclass(frozen=True)
class Sides:
    """By how much an image grows, in shares of its width (left, right) and height (up, down).

    Raises ValueError where nothing grows, or by less than nothing or more than four times.
    """

    left: float = 0.0
    right: float = 0.0
    up: float = 0.0
    down: float = 0.0

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= MOST:
                raise ValueError(f"{name} = {share}: a share of the image's side between 0 and {MOST:g}, as 0.5")
        if not any(vars(self).values()):
            raise ValueError("nothing to paint: say by how much the image grows, as --by 0.5 or --right 0.5")

    def margins(self, width: int, height: int) -> Margins:
        """Of an image of this size."""
        return (
            (round(self.up * height), round(self.down * height)),
            (round(self.left * width), round(self.right * width)),
        )


@dataclass(frozen=True)
class Framed:
    """An image and what is to be painted around it; size: the decoder's, px.

    The decoder sees squares as wide as the image's longer side where the canvas holds them, so that a half of a
    thing is completed as one thing; but of the first of them, half is known.
    The decoder's margins are rounded up and what is too much is cut off at the end, so that what was painted stays
    where it was painted, whatever the sizes are.
    """

    rgb: Pixels
    margins: Margins
    size: int

    @classmethod
    def of(cls, rgb: Pixels, sides: Sides, size: int) -> "Framed":
        """One smaller than the decoder's images is enlarged first. Raises ValueError where no pixel is added."""
        height, width = rgb.shape[:2]
        if min(width, height) < size:
            scale = size / min(width, height)
            rgb = shrunk(rgb, round(width * scale), round(height * scale))
        margins = sides.margins(rgb.shape[1], rgb.shape[0])
        if not any(map(any, margins)):
            raise ValueError(f"{sides}: less than a pixel; let the image grow more")
        return cls(rgb, margins, size)

    @property
    def side(self) -> int:
        """Pixels of the image along what are `size` for the decoder."""
        height, width = self.rgb.shape[:2]
        (above, below), (left, right) = self.margins
        return min(max(height, width), 2 * min(height, width), above + height + below, left + width + right)

    def at(self, times: int) -> tuple[Pixels, Hole]:
        """The canvas, `times` larger than the decoder sees it, and where it is empty."""
        height, width = self._small
        return _on_canvas(shrunk(self.rgb, times * width, times * height), _times(self._small_margins, times))

    def back(self, painted: Pixels) -> Pixels:
        """What was painted on a canvas of any of these sizes, around the image at its own size."""
        scales = [n / m for n, m in zip(self.rgb.shape[:2], self._small, strict=True)]
        corner = [_round(before * s) for (before, _), s in zip(self._small_margins, scales, strict=True)]
        height, width = (_round(n * s) for n, s in zip(self.at(1)[1].shape, scales, strict=True))
        canvas, hole = _on_canvas(self.rgb, self.margins)
        top, left = (at - before for at, (before, _) in zip(corner, self.margins, strict=True))
        large = shrunk(painted, width, height)
        return pasted(canvas, hole, large[top : top + canvas.shape[0], left : left + canvas.shape[1]])

    @property
    def middle(self) -> tuple[slice, slice]:
        """The decoder's square in the middle of the image, on the canvas of `at(1)`."""
        up, across = self._small_margins
        height, width = self._small
        return self._span(up, height), self._span(across, width)

    def _span(self, margins: tuple[int, int], n: int) -> slice:
        before, after = margins
        start = min(max(0, before + (n - self.size) // 2), before + n + after - self.size)
        return slice(start, start + self.size)

    @property
    def _small(self) -> tuple[int, int]:
        """(height, width) of the image alone, as the decoder sees it; rounded up: the canvas has to hold a square."""
        height, width = (math.ceil(n * self.size / self.side) for n in self.rgb.shape[:2])
        return height, width

    @property
    def _small_margins(self) -> Margins:
        up, across = (
            (math.ceil(before * m / n), math.ceil(after * m / n))
            for (before, after), m, n in zip(self.margins, self._small, self.rgb.shape[:2], strict=True)
        )
        return up, across


def _on_canvas(rgb: Pixels, margins: Margins) -> tuple[Pixels, Hole]:
    return within(rgb, margins, 255), within(np.zeros(rgb.shape[:2], dtype=bool), margins, True)


def within(values: NDArray[Value], margins: Margins, fill: int) -> NDArray[Value]:
    """An array [h, w, ...] with these margins around its first two dimensions.

    The widths are an array: whether numpy's types take tuples of them depends on the order in which files are checked.
    """
    return np.pad(values, np.array([*margins, *[(0, 0)] * (values.ndim - 2)]), constant_values=fill)


def _times(margins: Margins, times: int) -> Margins:
    (a, b), (c, d) = margins
    return (times * a, times * b), (times * c, times * d)


def _round(x: float) -> int:
    """Halves up, so that rounding keeps distances of whole pixels."""
    return math.floor(x + 0.5)

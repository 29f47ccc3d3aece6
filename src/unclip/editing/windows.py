"""An image larger than the model is painted window by window, each beside as much as is known already."""

from collections.abc import Iterator

import numpy as np

from unclip.core.typing import Bool

Mask = Bool[np.ndarray, "h w"]


def windows(known: Mask, side: int) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of the squares to paint, in order, until nothing is unknown; a square may hold known places.

    They lie on a lattice of half their side that starts at the first known row and column and is moved inwards at the
    borders. The next one is always that of which most is known, so sides come before corners. Raises ValueError where
    the image is smaller than a window, or nothing is known.
    """
    if min(known.shape) < side:
        raise ValueError(f"an image of {known.shape[1]} x {known.shape[0]} px holds no window of {side} x {side}")
    if not known.any():
        raise ValueError("nothing is known of the image, so there is nothing to go on from")
    known = known.copy()
    rows, columns = (_places(np.asarray(known.any(axis)), side) for axis in (1, 0))
    lattice = [(slice(r, r + side), slice(c, c + side)) for r in rows for c in columns]
    while not known.all():
        open_ = [place for place in lattice if not known[place].all()]
        best = max(open_, key=lambda place: known[place].mean())
        yield best
        known[best] = True


def _places(known: Bool[np.ndarray, " n"], side: int) -> list[int]:
    """Where windows start along one direction."""
    first, last, step = int(known.argmax()), len(known) - side, max(1, side // 2)
    starts = range(first - -(-first // step) * step, last + step, step)
    return sorted({min(max(start, 0), last) for start in starts})

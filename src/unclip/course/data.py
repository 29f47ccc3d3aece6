"""Images for the units: drawn shapes, or those of the reader's own folder."""

import itertools
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from unclip.core.typing import Images
from unclip.data.images.decode import decode_sized
from unclip.data.item import Item, Source
from unclip.data.loader import to_tensor
from unclip.data.shapes.world import World
from unclip.data.source import open_source

SHAPES = "shapes"
"""The word that means drawn shapes, as everywhere."""


@lru_cache(maxsize=8)
def captioned(data: str, size: int, n: int, alone: bool = True, seed: int = 0) -> tuple[Images, tuple[str, ...]]:
    """The first n images of a data set as a tensor, [n, 3, size, size] in [-1, 1], and a caption of each.

    Args:
        data: "shapes", which draws them, or the path of a folder (docs/data.md); what cannot be read is left out.
        size: the side, px.
        n: how many; all of them where a folder holds fewer.
        alone: of drawn shapes: one object on each image, which small models learn in minutes; else one to three.
        seed: of drawn shapes.

    Raises:
        ValueError: where there is no such folder, or fewer than two images in it can be read.
    """
    found = list(itertools.islice(_read(_source(data, n, alone, seed), size), n))
    if len(found) < 2:
        raise ValueError(f"{data}: {len(found)} images could be read, at least 2 are needed; unclip data says why")
    return to_tensor(np.stack([pixels for pixels, _ in found])), tuple(caption for _, caption in found)


def pictures(data: str, size: int, n: int, alone: bool = True, seed: int = 0) -> Images:
    """The images of `captioned` alone; raises as it does."""
    return captioned(data, size, n, alone, seed)[0]


def _source(data: str, n: int, alone: bool, seed: int) -> Source:
    if data == SHAPES:
        return World(counts={1: 1.0}, scenes=n, seed=seed) if alone else World(scenes=n, seed=seed)
    return open_source(Path(data), captioned=False)


def _read(source: Source, size: int) -> Iterator[tuple[np.ndarray, str]]:
    for item in source:
        if (pixels := _pixels(item, size)) is not None:
            yield pixels, (item.captions or ("",))[0]


def _pixels(item: Item, size: int) -> np.ndarray | None:
    """uint8 [size, size, 3]; None for what cannot be read."""
    if item.problem is not None:
        return None
    try:
        return decode_sized(item.read(), size).pixels
    except (OSError, ValueError):
        return None

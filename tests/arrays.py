"""Images that are arrays in memory, as a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unclip.data.item import Item
from unclip.data.prepare.write import Prepared, prepare


@dataclass(frozen=True)
class Arrays:
    """uint8 images [h, w, 3] with their captions; `end` is that of their keys."""

    images: Sequence[np.ndarray]
    captions: Sequence[tuple[str, ...]]
    end: str = ""
    root: Path = Path("arrays")
    kind: str = "pictures"

    def __iter__(self) -> Iterator[Item]:
        for i, (pixels, captions) in enumerate(zip(self.images, self.captions, strict=True)):
            yield Item(f"{i}{self.end}", lambda pixels=pixels: pixels, captions)

    def fingerprint(self) -> str:
        return f"{len(self.images)}"


def prepared(out: Path, images: Sequence[np.ndarray], captions: Sequence[tuple[str, ...]], end: str = "") -> Prepared:
    """Such images of one size as a prepared data set."""
    return prepare(Arrays(images, captions, end), out, images[0].shape[0], captioned=False)

"""The user's own training images, where a judge shall know them, too."""

from pathlib import Path

import numpy as np
import torch

from unclip.core.shown import printable
from unclip.core.task import Batch
from unclip.data.classes import are_classes
from unclip.data.loader import Order, to_tensor
from unclip.data.prepare.read import Prepared, load_prepared
from unclip.data.prepare.splits import SHARE, split_rows
from unclip.data.prepare.splits_file import NAME, read_splits
from unclip.judges.near_copies import groups_of
from unclip.judges.network import SIDES


class OwnImages:
    """Batches of the training images of a prepared data set, never of those that are held out.

    Args:
        path: a prepared data set, or a run that holds one in `data/`.
        batch: images of a batch.
        seed: of their order.
        labelled: whether the captions have to be classes.

    Raises:
        ValueError: where there is no prepared data set, its images are of a size that no judge sees, or classes are
            wanted and the captions are none.
    """

    def __init__(self, path: str | Path, batch: int, seed: int, labelled: bool) -> None:
        place = Path(path)
        self.prepared = load_prepared(place / "data" if (place / "data").is_dir() else place)
        if not SIDES[0] <= self.prepared.size <= SIDES[1]:
            raise ValueError(
                f"{printable(path)}: its images are of {self.prepared.size} px; a judge sees {SIDES[0]} to {SIDES[1]}"
            )
        self.rows = trained_on(place, self.prepared)
        self.order = Order(len(self.rows), batch, seed)
        captions = [(self.prepared.captions[row] or ("",))[0] for row in self.rows]
        self.names = sorted(set(captions)) if labelled else []
        if labelled and not are_classes(captions):
            raise ValueError(
                f"{printable(path)}: its {len(captions):,} training images have {len(set(captions)):,} different "
                "captions, which are no classes (2 to 1,000 of them, twice as many images); "
                "train a self-supervised judge on these images"
            )
        self.labels = torch.tensor([self.names.index(c) for c in captions]) if labelled else None

    def __call__(self, step: int) -> Batch:
        """The batch of a step: images, and labels where they are wanted."""
        chosen = self.order.indices(step)
        images = to_tensor(self.prepared.images[self.rows[chosen]])
        return Batch(images=images, labels=None if self.labels is None else self.labels[torch.from_numpy(chosen)])


def trained_on(place: Path, prepared: Prepared) -> np.ndarray:
    """The training rows of a run; of a data set alone those that a run of its own would have."""
    if (kept := place / NAME).is_file():
        return read_splits(kept, len(prepared)).train
    return split_rows(prepared.keys, groups_of(prepared), SHARE).train

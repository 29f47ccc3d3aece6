"""Which of a run's images are trained on, and which are held out: RUN/splits.json, written once, before training."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from unclip.core.config.tables import read_json
from unclip.core.disk.atomic import write_atomic
from unclip.data.layouts.kinds import Split
from unclip.data.prepare.splits import Splits, by_side

VERSION = 1
NAME = "splits.json"
HELD_OUT: tuple[Split, ...] = ("validation", "test")


def write_splits(path: Path, splits: Splits, about: dict[str, Any]) -> None:
    """Keeps the held-out rows; all others are trained on. about: how they were found."""
    count = sum(map(len, (splits.train, splits.validation, splits.test)))
    rows = {name: getattr(splits, name).tolist() for name in HELD_OUT}
    write_atomic(path, json.dumps({"version": VERSION, "images": count, **about, **rows}))


def read_splits(path: Path, count: int) -> Splits:
    """The splits of a data set of `count` images. Raises ValueError, with the file's name, where they are damaged."""
    found = read_json(path, f"the splits of a run; restore it, or train again ({count:,} images)")
    side = np.zeros(count, dtype=np.uint8)
    for number, name in enumerate(HELD_OUT, 1):
        rows = found.get(name)
        if not isinstance(rows, list) or not all(isinstance(row, int) and 0 <= row < count for row in rows):
            raise ValueError(f"{path}: {name}: expected numbers of images below {count:,}; restore it, or train again")
        side[rows] = number
    if found.get("images") != count or not (side == 0).any():
        raise ValueError(f"{path}: is of other data ({found.get('images')} images, not {count:,}); train again")
    return by_side(side)

"""Three splits of a data set: to train on, to choose by, and to publish.

training    what a model learns from
validation  gates, previews, and every choice between settings
test        published scores alone; nothing is decided by it
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from unclip.data.layouts.kinds import SPLITS
from unclip.data.prepare.read import Prepared

SHARE = 0.05
"""Of the images, for validation, and as much for the test; unless a run says otherwise."""
MAXIMUM = 500
"""Images of a held-out split at the most: a score needs no more, and a gate has to be quick."""
CROWD = 0.02
"""A group of near-copies of more than this share of the images is trained on as a whole: to hold it out would take the
data away, and to hold a part of it out would be no test."""
AT_LEAST = 8
"""A group of so many is never a crowd."""
_TRAIN, _VALIDATION, _TEST = range(3)
Groups = Int64[np.ndarray, " n"]
"""A number for each row; rows of one number are copies, or near-copies, of each other."""


@dataclass(frozen=True, eq=False)
class Splits:
    """Rows of a prepared data set, each list ascending; no row is in two of them."""

    train: Int64[np.ndarray, " a"]
    validation: Int64[np.ndarray, " b"]
    test: Int64[np.ndarray, " c"]

    def of(self, split: str) -> Int64[np.ndarray, " n"]:
        """The rows of one split. Raises ValueError for a name that is none."""
        if split not in SPLITS:
            raise ValueError(f'split is "{split}"; it must be train, validation or test')
        rows: np.ndarray = getattr(self, split)
        return rows

    @property
    def held_out(self) -> Int64[np.ndarray, " n"]:
        """Rows that are not trained on."""
        return np.sort(np.concatenate([self.validation, self.test]))


def copies(prepared: Prepared) -> Groups:
    """Groups of images with the very same pixels."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(taken, row) for row, taken in enumerate(prepared.digests)])


def split_rows(keys: Sequence[str], groups: Groups, held_out: float, seed: int = 0, maximum: int = MAXIMUM) -> Splits:
    """Splits rows into training, validation and test; no image is read for it.

    A group goes as a whole, by the hash of its first key: below `held_out` to validation, from there to twice as much
    to the test. So an image stays where it is when data is added, and is not trained on under another name. Of more
    than `maximum` in a split the smallest hashes are taken. At least one group is held out for validation, and one for
    the test where there are four groups; each split holds a quarter of the rows at the most, or one group.
    Crowds (`CROWD`) are trained on, unless there is nothing else.

    keys: the name of each row; groups: as `copies` gives. Raises ValueError where there are fewer than two rows or
    `held_out` is not in [0, 0.5].
    """
    if len(keys) < 2:
        raise ValueError(f"a data set of {len(keys)} pair cannot be split; it needs at least 2")
    if not 0 <= held_out <= 0.5:
        raise ValueError(f"held_out is {held_out}; it must be a share between 0 and 0.5")
    _, first, which, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    hashes = np.array([_hash(seed, keys[int(row)]) for row in first])
    order = [g for g in np.argsort(hashes, kind="stable").tolist() if sizes[g] <= largest(len(keys))]
    order = order or np.argsort(sizes, kind="stable").tolist()
    side = np.full(len(sizes), _TRAIN, dtype=np.uint8)
    most = max(1, min(maximum, len(keys) // 4))
    ranked = hashes[order]
    validation = _filled(order, sizes, int((ranked < held_out).sum()), most)
    validation = validation[: len(sizes) - 1]  # something is left to train on
    side[validation] = _VALIDATION
    if len(sizes) >= 4:
        rest = [g for g in order[len(validation) :] if hashes[g] >= held_out] or order[len(validation) :]
        wanted = int(((ranked >= held_out) & (ranked < 2 * held_out)).sum())
        side[_filled(rest[: len(sizes) - len(validation) - 1], sizes, wanted, most)] = _TEST
    return by_side(side[which])


def largest(images: int) -> float:
    """How many near-copies a group may have, of so many images, that is no crowd."""
    return max(float(AT_LEAST), CROWD * images)


def _filled(order: Sequence[int], sizes: Int64[np.ndarray, " g"], wanted: int, most: int) -> list[int]:
    """The first `wanted` groups of the order, as long as they have no more than `most` rows together; at least one."""
    taken, rows = list[int](), 0
    for group in order[: max(1, wanted)]:
        rows += int(sizes[group])
        if taken and rows > most:
            break
        taken.append(group)
    return taken


def by_side(side: UInt8[np.ndarray, " n"]) -> Splits:
    """From 0, 1 or 2 (training, validation, test) for each row."""
    return Splits(*(np.flatnonzero(side == number) for number in (_TRAIN, _VALIDATION, _TEST)))


def splits_of_keys(splits: Splits, keys: Sequence[str], others: Sequence[str]) -> Splits:
    """The same splits of another list of images, told by their keys; one that has no split is trained on."""
    where = {keys[row]: number for number, split in enumerate(SPLITS) for row in splits.of(split).tolist() if number}
    return by_side(np.array([where.get(key, _TRAIN) for key in others], dtype=np.uint8))


def _hash(seed: int, key: str) -> float:
    """A number in [0, 1) that depends on the key and the seed alone."""
    hashed = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=6).digest()
    return int.from_bytes(hashed) / 2**48

"""Which images of a data set are nearly the same: skin tones of one figure, crops, frames of one scene."""

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from unclip.core.noise import derive
from unclip.core.typing import Float, Tensor
from unclip.data.loader import to_tensor
from unclip.data.prepare.read import Pictures, Prepared
from unclip.data.prepare.splits import Groups, copies, largest
from unclip.data.shapes.world import KIND
from unclip.judges.judge import within
from unclip.judges.shipped import load

JUDGE = "supervised"
SIDE = 32
"""Images are compared at this side, px: time per image is the same at every size."""
NEAR = 0.2
"""Two images are near-copies below this share of the median distance of two images of the data. On emoji those are
skin tones, the same figure with other hair, and 8 beside 9; from 0.3 on they are other gestures and arrows."""
MANY = 0.3
"""Where more than this share of the images would be in crowds of near-copies, they are no copies, but all alike, and to
train on all of them would leave too few others to hold out."""
MOST = 20_000
"""In larger data sets only equal pixels are looked for: it would take minutes."""
PAIRS, CHUNK = 100_000, 512
Pixels = UInt8[np.ndarray, "n h w c"]


def groups_of(prepared: Prepared) -> Groups:
    """Numbers shared by images that have to be on one side of the splits: near-copies; of drawn shapes, each of which
    is drawn by itself, equal ones."""
    same = copies(prepared)
    return same if prepared.report.kind == KIND else near_copies(prepared.images, same)


def near_copies(images: Pictures | Pixels, same: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """A number for each image, shared by those that are near-copies of each other, directly or over others.

    Distances are those of the judge's features at 32 px. same: such numbers for equal pixels, which stand where images
    are too many to be compared, or all alike.
    """
    n = len(images)
    if not 2 < n <= MOST:
        return same
    found = features(images)
    pairs = np.random.default_rng(derive("near copies")).integers(n, size=(2, PAIRS))
    near = NEAR * float((found[pairs[0]] - found[pairs[1]]).norm(dim=1).median())
    joined = _joined(found, near, same.copy())
    sizes = np.unique(joined, return_counts=True)[1]
    return joined if sizes[sizes > largest(n)].sum() <= MANY * n else same


def features(images: Pictures | Pixels) -> Float[Tensor, "n d"]:
    """Of the judge, at `SIDE`."""
    judge, parts = load(JUDGE), []
    for first in range(0, len(images), CHUNK):
        some = to_tensor(images[first : first + CHUNK])
        parts.append(judge.features(within(some, SIDE, SIDE)))
    return torch.cat(parts)


def _joined(found: Float[Tensor, "n d"], near: float, group: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The groups, joined wherever two images are nearer than `near`; each has the number of its first image's."""
    for first in range(0, len(found), CHUNK):
        far = torch.cdist(found[first : first + CHUNK], found[first:])
        for row in (far < near).numpy():
            meeting = np.unique(group[first:][row])  # its own among them
            if len(meeting) > 1:
                group[np.isin(group, meeting)] = meeting[0]
    return group

"""Which images make up batch number n, and images to tensors and back.

The batch is a pure function of (seed, step): a resumed run needs no loader state.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from unclip.data.prepare.read import Pictures


@dataclass(frozen=True)
class Order:
    """The order in which training sees n rows: endless shuffled epochs, cut into batches across their borders.

    Every epoch holds every row exactly once, and a batch is a function of seed and step alone.

    Args:
        n: the number of rows.
        batch: rows of a batch.
        seed: of the shuffling.

    Raises:
        ValueError: where n or batch is below 1.
    """

    n: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.n < 1 or self.batch < 1:
            raise ValueError(f"cannot make batches of {self.batch} from {self.n} pairs; both must be at least 1")

    def indices(self, step: int) -> Int64[np.ndarray, " batch"]:
        """The rows of batch number `step` (from 0), [batch]."""
        assert step >= 0
        start, stop = step * self.batch, (step + 1) * self.batch
        epochs = range(start // self.n, (stop - 1) // self.n + 1)
        rows = np.concatenate([permutation(self.n, self.seed, epoch) for epoch in epochs])
        return rows[start - epochs[0] * self.n :][: self.batch]


@lru_cache(maxsize=8)  # a batch needs the running epoch, and at its border the next one; a stream windows, too
def permutation(n: int, seed: int, epoch: int) -> Int64[np.ndarray, " n"]:
    """The numbers below n in the order of an epoch.

    Sorted raw bits of a counter-based generator: unlike `Generator.permutation` they are the same in every
    NumPy version, so that a run resumed after an upgrade goes on with the same batches.
    """
    bits = np.random.Philox(key=np.array([seed % 2**64, epoch], dtype=np.uint64)).random_raw(n)
    rows = np.argsort(bits, kind="stable").astype(np.int64)
    rows.setflags(write=False)  # it is shared by every caller
    return rows


LUMA = (299, 587, 114)
"""Thousandths of red, green and blue in the luma of ITU-R 601."""


def gray(images: UInt8[np.ndarray, "b h w 3"]) -> UInt8[np.ndarray, "b h w 1"]:
    """The luma of ITU-R 601, rounded; a gray image kept as RGB gives its own values back."""
    luma = (images.astype(np.uint32) @ np.array(LUMA, dtype=np.uint32) + 500) // 1000
    return luma[..., None].astype(np.uint8)


def select_rows(
    images: Pictures | UInt8[np.ndarray, "n h w 3"], rows: Int64[np.ndarray, " b"], channels: int = 3
) -> UInt8[np.ndarray, "b h w c"]:
    """A copy of these rows, in gray where one channel is wanted. Raises ValueError for other than 1 or 3."""
    if channels not in (1, 3):
        raise ValueError(f"channels = {channels}: images are gray (1) or colour (3)")
    pixels = images[rows]
    return gray(pixels) if channels == 1 else pixels


def to_tensor(images: UInt8[np.ndarray, "b h w c"]) -> Float[Tensor, "b c h w"]:
    """Turns pixels, uint8 [b, h, w, c], into a tensor, float32 [b, c, h, w] in [-1, 1]: x / 127.5 - 1."""
    pixels = torch.from_numpy(np.array(images, copy=True))  # the memory map is read-only, which torch warns about
    return pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(127.5).sub_(1)


def to_pixels(x: Float[Tensor, "b c h w"]) -> UInt8[np.ndarray, "b h w c"]:
    """Turns a tensor, [b, c, h, w] in [-1, 1], into pixels, uint8 [b, h, w, c]; rounded, and clamped to 0 ... 255."""
    pixels = ((x.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

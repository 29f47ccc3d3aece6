"""Prepared images that lie on the device while they are trained on: a batch is gathered there and nothing is sent."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from unclip.core.machine import free_on
from unclip.core.typing import Images
from unclip.data.loader import LUMA, to_tensor
from unclip.data.prepare.read import Pictures

SHARE = 0.25
"""Of the device's free memory when the first batch is made: so much of it the images may take at the most."""
SENT = 4096
"""Images that are read and sent at once."""


@dataclass(frozen=True, eq=False)
class Resident:
    """Images on a device. rows: the numbers of those that are there, ascending; pixels: uint8, on the device."""

    rows: Int64[np.ndarray, " n"]
    pixels: UInt8[Tensor, "n h w 3"]

    @classmethod
    def of(cls, images: Pictures, rows: np.ndarray, device: str) -> "Resident | None":
        """These rows; None on a CPU, where nothing is gained, and where they take more than `SHARE` of the memory."""
        if torch.device(device).type == "cpu" or len(rows) * np.prod(images.shape[1:]) > SHARE * free_on(device):
            return None
        known = np.unique(rows)
        pixels = torch.empty(len(known), *images.shape[1:], dtype=torch.uint8, device=device)
        for start in range(0, len(known), SENT):
            part = slice(start, start + SENT)
            pixels[part].copy_(torch.from_numpy(images[known[part]]))
        return cls(known, pixels)

    def take(self, numbers: np.ndarray, channels: int, mirrored: Bool[np.ndarray, " b"] | None) -> Images:
        """What `to_tensor` makes of these rows, bit for bit, on the device.

        Pixels become numbers by a table that the CPU has made: a GPU divides by a constant otherwise than a CPU.
        """
        taken = self.pixels[self._sent(np.searchsorted(self.rows, numbers))]
        if channels == 1:
            red, green, blue = (taken[..., i].int() * weight for i, weight in enumerate(LUMA))
            taken = torch.div(red + green + blue + 500, 1000, rounding_mode="floor")[..., None]
        if mirrored is not None:
            taken = torch.where(self._sent(mirrored)[:, None, None, None], taken.flip(2), taken)
        return self._levels[taken.long()].permute(0, 3, 1, 2).contiguous()

    def _sent(self, known: np.ndarray) -> Tensor:
        """To the device, without waiting for what it computes meanwhile."""
        told = torch.from_numpy(known)
        return (told.pin_memory() if self.pixels.is_cuda else told).to(self.pixels.device, non_blocking=True)

    @cached_property
    def _levels(self) -> Tensor:
        every = np.arange(256, dtype=np.uint8)[None, :, None, None]
        return to_tensor(every).flatten().to(self.pixels.device)

"""`Judge`: a feature net that no run has trained, by which sets of images are compared."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from unclip.core.shown import printable
from unclip.core.typing import Float, Images, Tensor, Vectors

BATCH = 64
EDGE = 1e-3
"""How far beyond [-1, 1] a rounding may go."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A feature net that no run has trained: `features` of two sets of images say how far the sets are apart.

    What one says of an image does not depend on the other images. A distance in its features is comparable with
    another only where name and hash agree; it is never an FID, which is defined by one Inception network.

    Args:
        name: "supervised", "self-supervised", "random", or the path that it was loaded from.
        hash: SHA-256 over settings and weights, or over the file.
        sides: the smallest and the largest side of images, px.
        describe: images [b, 3, h, w] in [-1, 1] to features [b, d].
    """

    name: str
    hash: str
    sides: tuple[int, int]
    describe: Callable[[Images], Vectors]

    @torch.no_grad()
    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The features of images [n, 1 or 3, h, w] in [-1, 1], at their own size: float32 [n, d].

        Raises ValueError for images of another range, of other channels, or too small or too large.
        """
        self._check(images)
        parts = [self.describe(part.float().clamp(-1, 1)).float() for part in images.split(BATCH)]
        return torch.cat(parts)

    def _check(self, images: Float[Tensor, "n c h w"]) -> None:
        n, channels, *sides = images.shape
        if n == 0:
            raise ValueError("there is no image; a judge needs at least one")
        if channels not in (1, 3):
            raise ValueError(f"the images have {channels} channels; a judge sees gray (1) or colour (3)")
        low, high = self.sides
        if not low <= min(sides) <= max(sides) <= high:
            raise ValueError(
                f"the images are {sides[1]} x {sides[0]} px; the judge {printable(self.name)} sees sides of {low} to "
                f"{high} px: resize them"
            )
        least, most = float(images.amin()), float(images.amax())
        if not -1 - EDGE <= least <= most <= 1 + EDGE:
            raise ValueError(
                f"the images' values reach from {least:.3g} to {most:.3g}; a judge expects [-1, 1]: "
                "x / 127.5 - 1 for bytes, clamp(-1, 1) for what a model drew"
            )


def within(x: Float[Tensor, "n c h w"], low: int, high: int) -> Float[Tensor, "n c _ _"]:
    """Squares of a side within these, px: smaller images are enlarged by repeating, larger ones shrunk by means."""
    side = min(max(x.shape[-1], low), high)
    return x if side == x.shape[-1] else F.adaptive_avg_pool2d(x, side)

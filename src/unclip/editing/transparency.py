"""What an edited or extended image keeps of one that is transparent in part."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unclip.data.images.decode import Whole
from unclip.editing.canvas import Margins, within
from unclip.editing.hole import Hole, Pixels

Alpha = UInt8[np.ndarray, "_ _"]


@dataclass(frozen=True)
class Kept:
    """What stays of an image that is transparent in part: its own values and its transparency outside the hole."""

    own: Pixels
    alpha: Alpha
    hole: Hole

    def back(self, painted: Pixels) -> Image.Image:
        """A painted image of the same size with them; what is painted is opaque."""
        rgb = np.where(self.hole[..., None], painted, self.own)
        alpha = np.where(self.hole, np.uint8(255), self.alpha)
        return Image.fromarray(rgb if alpha.min() == 255 else np.dstack([rgb, alpha]))


def kept_of(whole: Whole, hole: Hole, enlarged: bool) -> Kept | None:
    """None where the image is opaque, or so small that it is `enlarged` to what the model paints."""
    if whole.alpha.min() == 255 or enlarged:
        return None
    return Kept(whole.own, whole.alpha, hole)


def kept_within(whole: Whole, margins: Margins, enlarged: bool) -> Kept | None:
    """The same for an image that goes on beyond its borders."""
    kept = kept_of(whole, np.zeros(whole.alpha.shape, dtype=bool), enlarged)
    if kept is None:
        return None
    return Kept(within(kept.own, margins, 0), within(kept.alpha, margins, 0), within(kept.hole, margins, True))


def lost(whole: Whole, name: str, kept: Kept | None) -> str:
    """What is told where an image's transparency cannot be kept."""
    if kept is not None or whole.alpha.min() == 255:
        return ""
    return f"{name}: is smaller than what the model paints, so its transparency is not kept: the result is opaque"

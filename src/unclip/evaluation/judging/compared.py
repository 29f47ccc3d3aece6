"""Generated images beside held-out and training ones, as judges see them: described once, for all figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch.nn.functional as F

from unclip.core.typing import Float, Images, Tensor
from unclip.judges.judge import Judge

PIXELS = 16
"""The side to which images are shrunk before their pixels are compared: a shift of one pixel is no other image."""


@dataclass(frozen=True)
class Space:
    """Generated, held-out and training images as vectors of one kind."""

    made: Float[Tensor, "n d"]
    real: Float[Tensor, "m d"]
    train: Float[Tensor, "k d"]


@dataclass(frozen=True)
class Compared:
    """Images in [-1, 1], and who compares them.

    Args:
        made: generated images.
        real: held-out ones; image i of both has caption i.
        train: training images, all or a part; none where they are gone.
        judges: feature nets that saw none of them.
        captions: of made and real; empty words where the model knows none.
    """

    made: Images
    real: Float[Tensor, "m c h w"]
    train: Float[Tensor, "k c h w"]
    judges: Sequence[Judge]
    captions: Sequence[str] = ()

    @cached_property
    def able(self) -> list[Judge]:
        """The judges that see images of this size."""
        low, high = min(self.real.shape[-2:]), max(self.real.shape[-2:])
        return [judge for judge in self.judges if judge.sides[0] <= low <= high <= judge.sides[1]]

    @cached_property
    def spaces(self) -> dict[str, Space]:
        """Judge, or "pixels" -> the images as it sees them."""
        found = {judge.name: self._seen_by(judge) for judge in self.able}
        return {**found, "pixels": Space(*(thumbnails(x) for x in (self.made, self.real, self.train)))}

    def _seen_by(self, judge: Judge) -> Space:
        made, real = judge.features(self.made), judge.features(self.real)
        return Space(made, real, judge.features(self.train) if len(self.train) else made[:0])


def thumbnails(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """The pixels of the shrunk images."""
    return F.adaptive_avg_pool2d(x, min(PIXELS, *x.shape[-2:])).flatten(1)

"""Training and held-out images as a judge and pixels see them, described once: what is drawn later is compared."""

from collections.abc import Iterable

import torch

from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.evaluation.judging.compared import thumbnails
from unclip.evaluation.judging.copies import Nearness, nearness
from unclip.evaluation.sets.nearest import nearest
from unclip.judges.judge import Judge, within

SIDE = 32
"""The side to which larger images are shrunk, px: copies are known by it, in less than a millisecond of a judge."""
QUANTILE = 0.05
"""Near-copies are nearer than all held-out images but this share. Of a few dozen images a rarer event would say little,
and data that hold a few near-copies of their own would hide those of the model."""


class Reference:
    """Says of images how near they come to training images, beside held-out ones: by a judge's features, and by pixels.

    A judge takes a copy with a little grain for another texture; its pixels give it away. A copy that is moved is far
    in pixels and near to a judge.

    Args:
        judge: in whose features distances are taken.
        train: training images in [-1, 1], part by part.
        held_out: images [m, c, h, w] that were not trained on.
        mirrored: whether training images were mirrored, too; each image is then as near as the nearer of itself and its
            mirror image, held-out ones alike.

    Raises ValueError for images that the judge does not see, and where there are none.
    """

    def __init__(
        self,
        judge: Judge,
        train: Iterable[Float[Tensor, "_ c h w"]],
        held_out: Float[Tensor, "m c h w"],
        mirrored: bool = False,
    ) -> None:
        self.judge, self.mirrored = judge, mirrored
        parts = [self._seen(part) for part in train]
        self.train = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        self.held_out = self.distances(held_out)

    def distances(self, images: Images) -> dict[str, PerSample]:
        """Judge, or "pixels" -> of each image the distance to the training image nearest to it."""
        views = [self._seen(view) for view in ([images, images.flip(-1)] if self.mirrored else [images])]
        return {
            name: torch.stack([nearest(view[name], train).distance[:, 0] for view in views]).amin(0)
            for name, train in self.train.items()
        }

    def nearness(self, images: Images) -> dict[str, Nearness]:
        """The same -> how near these images come, in [-1, 1]."""
        return {name: nearness(own, self.held_out[name], QUANTILE) for name, own in self.distances(images).items()}

    def _seen(self, images: Float[Tensor, "_ _ _ _"]) -> dict[str, Float[Tensor, "_ _"]]:
        return {self.judge.name: self.judge.features(within(images, 0, SIDE)), "pixels": thumbnails(images)}

"""Training and held-out images as a judge sees them, described once: what is drawn later is compared with them."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.evaluation.judging.copies import Nearness, nearness
from unclip.evaluation.sets.nearest import nearest
from unclip.judges.judge import Judge

SIDE = 32
"""The side to which larger images are shrunk, px: a copy is known by it, and an image takes a judge 2 ms of a core."""


class Reference:
    """Says of images how near they come to training images, beside held-out ones.

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
        self.train = torch.cat([judge.features(shrunk(part)) for part in train])
        self.held_out = self.distances(held_out)

    def distances(self, images: Images) -> PerSample:
        """Of each image to the training image nearest to it."""
        small = shrunk(images)
        views = [small, small.flip(-1)] if self.mirrored else [small]
        found = [nearest(self.judge.features(view), self.train).distance[:, 0] for view in views]
        return torch.stack(found).amin(0)

    def nearness(self, images: Images) -> Nearness:
        """Of these images, in [-1, 1]."""
        return nearness(self.distances(images), self.held_out)


def shrunk(images: Images) -> Float[Tensor, "_ c _ _"]:
    """At `SIDE` px at the most, by the mean over areas."""
    return images if max(images.shape[-2:]) <= SIDE else F.adaptive_avg_pool2d(images, SIDE)

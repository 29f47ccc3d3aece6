"""The self-supervised judge: two parts of one image are near each other, and the features tell images apart (VICReg).

With z, z' [n, d] the embeddings of two crops of n images (Bardes et al. 2022, Eq. 1-6):

    25 mean |z - z'|^2 + 25 (v(z) + v(z')) + c(z) + c(z')
    v: mean over dimensions of max(0, 1 - standard deviation);  c: squared covariances off the diagonal, over d

The crops are moved and mirrored and nothing else: blur, noise, compression and colours are the same in both, so they
are what tells images apart, never something to ignore. (The augmentations of the papers would teach just that.)
"""

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Images, Tensor
from unclip.judges.network import FeatureNet

EMBEDDING = 256
CROP = 2 / 3
"""Side of a crop, as a share of the image's."""


class SelfSupervised(nn.Module):
    """A `Task` that trains a `FeatureNet` by VICReg (Bardes et al. 2022) on pairs of crops of a batch's images."""

    per_sample = False

    def __init__(self, net: FeatureNet) -> None:
        super().__init__()
        self.net = net
        self.norm = nn.LayerNorm(net.width)
        self.expander = nn.Sequential(
            nn.Linear(net.width, EMBEDDING), nn.GELU(), nn.Linear(EMBEDDING, EMBEDDING)
        )  # fmt: skip

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """VICReg's loss on two crops of each image."""
        assert batch.images is not None
        both = torch.cat([crop(batch.images, noise), crop(batch.images, noise)])
        a, b = self.expander(self.norm(self.net.pooled(both))).chunk(2)
        apart = F.mse_loss(a, b)
        spread, shared = _spread(a) + _spread(b), _shared(a) + _shared(b)
        parts = {name: value.item() for name, value in (("apart", apart), ("spread", spread), ("shared", shared))}
        return Losses(25 * apart + 25 * spread + shared, parts)


def crop(images: Images, noise: Noise) -> Float[Tensor, "b c side side"]:
    """A square of each image from a random place, by chance mirrored."""
    n, _, height, width = images.shape
    side = max(1, round(min(height, width) * CROP))
    fate = noise.uniform((n, 3))
    top, left = (fate[:, 0] * (height - side + 1)).long(), (fate[:, 1] * (width - side + 1)).long()
    line = torch.arange(side, device=images.device)
    across = torch.where((fate[:, 2] < 0.5)[:, None], line, side - 1 - line)
    rows, columns = (top[:, None] + line)[:, None, :, None], (left[:, None] + across)[:, None, None, :]
    return images[torch.arange(n)[:, None, None, None], torch.arange(images.shape[1])[:, None, None], rows, columns]


def _spread(z: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    return F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()


def _shared(z: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    z = z - z.mean(0)
    covariance = z.t() @ z / (len(z) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / z.shape[1]

"""The self-supervised judge: it learns from images alone, without a word about what they show. Two tasks at once.

Crops: two parts of one image are near each other, and the features tell images apart (VICReg). With z, z' [n, d] the
embeddings of two crops of n images (Bardes et al. 2022, Eq. 1-6):

    25 mean |z - z'|^2 + 25 (v(z) + v(z')) + c(z) + c(z')
    v: mean over dimensions of max(0, 1 - standard deviation);  c: squared covariances off the diagonal, over d

The crops are moved and mirrored and nothing else: blur, noise, compression and colours are the same in both, so they
are what tells images apart, never something to ignore. (The augmentations of the papers would teach just that.)

Faults: half of the images are damaged first, and the net is asked for the kind of the fault and for its strength. That
is what VICReg alone does not learn: it told samples of a DDPM of 8 and 32 minutes the wrong way round.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Images, Tensor
from unclip.judges.network import FeatureNet
from unclip.judges.procedural.damage import FAULTS, damaged, draw_faults

EMBEDDING = 256
CROP = 2 / 3
"""Side of a crop, as a share of the image's."""


class SelfSupervised(nn.Module):
    """A `Task` that trains a `FeatureNet` by VICReg (Bardes et al. 2022) on crops, and on the faults that it makes."""

    per_sample = False

    def __init__(self, net: FeatureNet) -> None:
        super().__init__()
        self.net = net
        self.norm = nn.LayerNorm(net.read)
        self.expander = nn.Sequential(nn.Linear(net.read, EMBEDDING), nn.GELU(), nn.Linear(EMBEDDING, EMBEDDING))
        self.fault = nn.Linear(net.read, len(FAULTS) + 1)

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """VICReg's loss on two crops of each image, over 25, and the errors about its fault."""
        assert batch.images is not None
        kind, strength = draw_faults(len(batch.images), noise)
        images = damaged(batch.images, kind, strength, noise.fork("damage"))
        features = self.norm(self.net.pooled(torch.cat([crop(images, noise), crop(images, noise)])))
        said = self.fault(features)
        guess = F.cross_entropy(said[:, :-1], kind.repeat(2)) / math.log(len(FAULTS))
        amount = F.mse_loss(said[:, -1], strength.repeat(2))
        a, b = self.expander(features).chunk(2)
        apart, spread, shared = F.mse_loss(a, b), _spread(a) + _spread(b), _shared(a) + _shared(b)
        right = (said[:, :-1].detach().argmax(1) == kind.repeat(2)).float().mean()
        parts = {"apart": apart, "spread": spread, "shared": shared, "fault": right, "strength": amount}
        total = apart + spread + shared / 25 + guess + amount
        return Losses(total, {name: value.item() for name, value in parts.items()})


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

"""A perceptual distance from features of our own: how different two images look to the stem of the run's CLIP.

With f_l the features after the l-th layer, each position scaled to unit length over the channels (LPIPS, Zhang et al.
2018, Eq. 1, with all its learned weights w = 1):

    d(x, y) = sum over l of  mean over positions of  |f_l(x) - f_l(y)|^2

LPIPS takes networks trained on ImageNet, and weights fitted to people's judgements. Nothing is downloaded here: the
features are those that CLIP learned on the user's own images, edges and textures of few channels. Nobody has
measured that they judge as people do; what they add to the pixels' error is sharp edges in the right place.
"""

import torch
from torch import nn

from unclip.clip.vision import VisionTower
from unclip.core.typing import Images, PerSample, Tensor


class Perceptual(nn.Module):
    """Frozen features of an image tower's stem: one map after each halving."""

    def __init__(self, tower: VisionTower) -> None:
        super().__init__()
        self.stem = nn.Sequential(*list(tower.stem)[:-1])  # the last convolution, onto the next width, makes no map
        self.requires_grad_(False)

    def features(self, x: Images) -> list[Tensor]:
        """A map a halving, unit vectors over the channels."""
        maps = []
        for layer in self.stem:
            x = layer(x)
            if isinstance(layer, nn.GELU):
                maps.append(unit(x.float()))
        return maps

    def forward(self, x: Images, y: Images) -> PerSample:
        """d(x, y), [b]; gradients reach the images, never the features' weights."""
        pairs = zip(self.features(x), self.features(y), strict=True)
        return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs]).sum(0)


def unit(x: Images, eps: float = 1e-10) -> Images:
    """Each position's channels divided by their length."""
    return x * (x.square().sum(1, keepdim=True) + eps).rsqrt()

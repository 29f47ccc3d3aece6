"""The norms of convolutional blocks.

group     over groups of channels and the whole image (Wu & He 2018): each value depends on all of the image
position  over the channels of one position: y = x / sqrt(mean_c x^2 + eps) w + b, so that a network of convolutions
          sees a finite neighbourhood, and a part of an image is treated as it is in the whole (upsamplers)
"""

from typing import Literal

import torch
from torch import Tensor, nn

from unclip.core.typing import Float

Norm = Literal["group", "position"]


class PositionNorm(nn.Module):
    """Root-mean-square norm over the channels of each position."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        scale = (x.float().square().mean(1, keepdim=True) + self.eps).rsqrt().to(x.dtype)
        return torch.addcmul(self.bias[:, None, None], x * scale, self.weight[:, None, None])


def norm_of(kind: Norm, width: int, groups: int = 0, eps: float = 1e-5) -> nn.Module:
    """groups: of the group norm, 0: one for 16 channels."""
    if kind == "position":
        return PositionNorm(width, eps)
    return nn.GroupNorm(groups or max(1, width // 16), width, eps=eps)

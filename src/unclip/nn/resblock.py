"""The residual block of diffusion U-Nets: two 3x3 convolutions, the second modulated by the level embedding."""

import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.typing import Float, Vectors


class ResBlock(nn.Module):
    """norm, SiLU, conv, norm * (1 + scale) + shift, SiLU, conv (starts at zero); ADM's scale-shift form."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        groups = max(1, width // 16)
        self.norm1, self.norm2 = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.film = nn.Linear(embedding, 2 * width)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Float[Tensor, "b c h w"], embedding: Vectors) -> Float[Tensor, "b c h w"]:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        y = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(y) * (1 + scale) + shift))

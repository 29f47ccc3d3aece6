"""A small network for points: residual layers, each told the noise level."""

import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.typing import PerSample, Vectors
from unclip.nn.blocks.embed import LevelEmbedding


class MLP(nn.Module):
    """A residual network for points and other vectors: from x [b, d] and log_snr [b] to [b, d].

    It ignores the condition.

    Args:
        d: numbers of a point.
        width: features of a layer.
        layers: residual layers.
    """

    def __init__(self, d: int, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        self.level = LevelEmbedding(width)
        self.stem = nn.Linear(d, width)
        self.layers = nn.ModuleList(MLPLayer(width) for _ in range(layers))
        self.out = nn.Linear(width, d)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Vectors, log_snr: PerSample, cond: Condition) -> Vectors:
        embedding, h = F.silu(self.level(log_snr)), self.stem(x)
        for layer in self.layers:
            h = layer(h, embedding)
        return self.out(F.silu(h))


class MLPLayer(nn.Module):
    """h + W2 silu(norm(W1 silu(h) + level))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.film, self.second = (nn.Linear(width, width) for _ in range(3))
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        return h + self.second(F.silu(self.norm(self.first(F.silu(h)) + self.film(embedding))))

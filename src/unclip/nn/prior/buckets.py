"""Numbers as codes: equally wide buckets, or equally frequent ones."""

import torch
from torch import Tensor, nn

from unclip.core.typing import Float, Int
from unclip.core.wide import wide


class Buckets(nn.Module):
    """k numbers <-> k codes: `count` equally wide buckets between the least and the largest value seen.

    Each of the k columns has a range of its own. What was seen is off by half a bucket's width at most; values beyond
    fall into the outer buckets.
    """

    def __init__(self, k: int, count: int) -> None:
        super().__init__()
        if count < 2:
            raise ValueError(f"buckets = {count}: need 2 or more")
        self.count = count
        self.register_buffer("low", torch.zeros(k))
        self.register_buffer("width", torch.ones(k))
        self.low: Tensor
        self.width: Tensor

    def fit(self, x: Float[Tensor, "n k"]) -> None:
        """Takes the ranges of the columns; one that never varies keeps its value."""
        low, high = x.amin(0), x.amax(0)
        self.low.copy_(low)
        self.width.copy_((high - low).clamp(min=1e-6) / self.count)

    def forward(self, x: Float[Tensor, "n k"]) -> Int[Tensor, "n k"]:
        return ((x - self.low) / self.width).floor().clamp(0, self.count - 1).long()

    def inverse(self, codes: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The buckets' middles."""
        return self.low + (codes + 0.5) * self.width


class Quantiles(nn.Module):
    """Numbers -> codes 0 ... count - 1 that are equally frequent: bucket i holds the i-th part of what was seen."""

    def __init__(self, count: int) -> None:
        super().__init__()
        if count < 2:
            raise ValueError(f"buckets = {count}: need 2 or more")
        self.register_buffer("edges", torch.zeros(count - 1))
        self.edges: Tensor

    def fit(self, x: Float[Tensor, " n"]) -> None:
        """Takes the inner edges of these values."""
        count = len(self.edges) + 1
        ordered = wide(x).sort().values
        at = torch.arange(1, count, device=ordered.device) / count * (len(x) - 1)
        below = at.floor().long()
        above = (below + 1).clamp(max=len(x) - 1)
        self.edges.copy_(torch.lerp(ordered[below], ordered[above], wide(at) - below))

    def forward(self, x: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
        return torch.bucketize(x, self.edges)

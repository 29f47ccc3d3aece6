"""Embeddings: noise level to vector, statistics of embeddings."""

import math

import torch
from torch import Tensor, nn

from unclip.core.typing import PerSample, Vectors


class LevelEmbedding(nn.Module):
    """log-SNR -> [b, width]: sines and cosines of l at 32 frequencies, then a two-layer perceptron.

    Periods run from 80 (four times the useful range of l, 20) down to about 1, so that neighbouring levels of a
    1000-step table are told apart and far ones are not confused.
    """

    def __init__(self, width: int, frequencies: int = 32) -> None:
        super().__init__()
        periods = torch.logspace(math.log10(80), 0, frequencies)
        self.register_buffer("frequencies", 2 * math.pi / periods, persistent=False)
        self.frequencies: Tensor
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, log_snr: PerSample) -> Vectors:
        angle = log_snr[:, None].clamp(-20, 20) * self.frequencies
        return self.mlp(torch.cat([angle.sin(), angle.cos()], dim=1))


class Standardize(nn.Module):
    """Embedding statistics that travel with the model: x -> (x - mean) / std per dimension, and back.

    CLIP's embeddings share a large mean and have unequal spread; diffusion wants zero mean and unit variance.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.mean: Tensor
        self.std: Tensor

    def fit(self, embeddings: Vectors) -> None:
        """Takes the statistics of a data set's embeddings, [n, d]; a dimension that never varies keeps std 1."""
        std = embeddings.std(0)
        self.mean.copy_(embeddings.mean(0))
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: Vectors) -> Vectors:
        return (x - self.mean) / self.std

    def inverse(self, x: Vectors) -> Vectors:
        """Standardised -> original."""
        return x * self.std + self.mean

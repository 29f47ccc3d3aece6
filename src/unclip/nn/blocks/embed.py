"""Embeddings: noise level to vector, statistics of embeddings."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.typing import Float, Int, PerSample, Vectors


class FeatureEmbedding(nn.Module, ABC):
    """log-SNR -> [b, width]: features of a level without weights that are trained, then a two-layer perceptron."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))

    @abstractmethod
    def features(self, log_snr: PerSample) -> Vectors:
        """What the perceptron sees of a level, [b, features]."""

    def forward(self, log_snr: PerSample) -> Vectors:
        return self.mlp(self.features(log_snr))


class SineEmbedding(FeatureEmbedding):
    """Sines and cosines of a position at given frequencies."""

    def __init__(self, width: int, frequencies: Tensor) -> None:
        super().__init__(width, 2 * len(frequencies))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.frequencies: Tensor

    @abstractmethod
    def position(self, log_snr: PerSample) -> PerSample:
        """Where a level in [-20, 20] stands on the axis of the sines."""

    def features(self, log_snr: PerSample) -> Vectors:
        """The sines, then the cosines, [b, 2 frequencies]."""
        angle = self.position(log_snr.clamp(-20, 20))[:, None] * self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class LevelEmbedding(SineEmbedding):
    """Embeds the noise level by sines of the log-SNR: from [b] to [b, width].

    Periods run from 80 (four times the useful range of l, 20) down to about 1, so that neighbouring levels of a
    1000-step table are told apart and far ones are not confused.

    Args:
        width: features of the embedding.
        frequencies: the number of sines, and of cosines.
    """

    def __init__(self, width: int, frequencies: int = 32) -> None:
        super().__init__(width, 2 * math.pi / torch.logspace(math.log10(80), 0, frequencies))

    def position(self, log_snr: PerSample) -> PerSample:
        return log_snr


class TimestepEmbedding(SineEmbedding):
    """DDPM's embedding of the timestep (Ho et al. 2020, appendix B), computed from the log-SNR: from [b] to [b, width].

    The axis is the timestep t = 0 ... 999 of DDPM's linear table (beta from 1e-4 to 0.02), found by inverting the
    table: exact at its entries, linear between two of them, and on along the first or last piece beyond the ends, so
    that every level keeps a place of its own. Frequencies 10000^(-i/(n - 1)), i = 0 ... n - 1, n = features / 2
    (Vaswani et al. 2017, section 3.5).

    Args:
        width: features of the embedding.
        features: the number of sines and cosines together.
    """

    def __init__(self, width: int, features: int) -> None:
        if features < 4 or features % 2:
            raise ValueError(f"features = {features}: half sines, half cosines; need an even number, 4 or more")
        n = features // 2
        super().__init__(width, torch.exp(torch.arange(n) * (-math.log(10000) / (n - 1))))
        log_bar = torch.log1p(-torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumsum(0)
        table = log_bar - torch.log(-torch.expm1(log_bar))
        self.register_buffer("table", table.float(), persistent=False)
        self.table: Tensor

    def position(self, log_snr: PerSample) -> PerSample:
        below, beyond = placed(self.table, log_snr)
        return below + beyond


class TableEmbedding(FeatureEmbedding):
    """A row of features for each entry of a table of levels, both kept with the weights: from [b] to [b, width].

    It takes in networks that were told a timestep t = 0 ... T - 1, whatever their table and their features of t: exact
    at its entries, linear between two of them, and the last row beyond the ends. Until a table is loaded it holds the
    rows of `TimestepEmbedding` at T entries of DDPM's table.

    Args:
        width: features of the embedding.
        features: numbers of a row.
        entries: rows, T.
    """

    def __init__(self, width: int, features: int, entries: int) -> None:
        super().__init__(width, features)
        known = TimestepEmbedding(1, features)
        levels = known.table[torch.linspace(0, len(known.table) - 1, entries).long()]
        self.register_buffer("levels", levels.clone())
        self.register_buffer("rows", known.features(levels))
        self.levels: Tensor
        self.rows: Tensor

    def features(self, log_snr: PerSample) -> Vectors:
        below, beyond = placed(self.levels, log_snr)
        return torch.lerp(self.rows[below], self.rows[below + 1], beyond.clamp(0, 1)[:, None])


def placed(table: Float[Tensor, " T"], log_snr: PerSample) -> tuple[Int[Tensor, " b"], PerSample]:
    """The entry of a falling table that each level lies behind, and how far behind, as a share of the way to the next.

    Beyond the ends that is less than 0, or more than 1.
    """
    log_snr = log_snr.to(table.dtype)
    below = (torch.searchsorted(-table, -log_snr) - 1).clamp(0, len(table) - 2)
    start, end = table[below], table[below + 1]
    return below, (start - log_snr) / (start - end)


class ConditionEmbedding(nn.Module):
    """Adds a projection of the condition's vector to the embedding of the level: [b, width].

    The projection has no bias (the embedding ends with one): on a one-hot vector it is the papers' class embedding.

    Args:
        level: embeds the level.
        vector_width: of `cond.vector`.
        width: features of the embedding.
    """

    def __init__(self, level: FeatureEmbedding, vector_width: int, width: int) -> None:
        super().__init__()
        self.level = level
        self.vector = nn.Linear(vector_width, width, bias=False) if vector_width else None

    def forward(self, log_snr: PerSample, cond: Condition) -> Vectors:
        embedding = self.level(log_snr)
        if self.vector is None or cond.vector is None:
            return embedding
        return embedding + self.vector(cond.vector)


class Scaling(nn.Module, ABC):
    """Embeddings to what a diffusion likes to see, and back. mean: of the embeddings that it was fitted on, [d]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.mean: Tensor

    def fit(self, embeddings: Vectors) -> None:
        """Takes the statistics of a data set's embeddings, [n, d]."""
        self.mean.copy_(embeddings.mean(0))

    @abstractmethod
    def forward(self, x: Vectors) -> Vectors: ...

    @abstractmethod
    def inverse(self, x: Vectors) -> Vectors:
        """Scaled -> original."""


class Standardize(Scaling):
    """Scales embeddings to mean 0 and standard deviation 1 in each dimension, and back; a module with these numbers.

    CLIP's embeddings share a large mean and have unequal spread; diffusion wants zero mean and unit variance.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.register_buffer("std", torch.ones(width))
        self.std: Tensor

    def fit(self, embeddings: Vectors) -> None:
        """Takes mean and standard deviation from embeddings, [n, d]; a dimension that never varies keeps 1."""
        super().fit(embeddings)
        std = embeddings.std(0)
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: Vectors) -> Vectors:
        return (x - self.mean) / self.std

    def inverse(self, x: Vectors) -> Vectors:
        """Scales standardised embeddings back, [b, d]."""
        return x * self.std + self.mean


class UnitScale(Scaling):
    """Scales unit vectors as unCLIP does, by 0.5375 sqrt(d), 17.2 at its d = 1,024, and back; the mean stays in.

    A unit vector's numbers have rms 1 / sqrt(d); scaled, they have that of the pixels of images in [-1, 1].
    """

    RMS = 0.5375

    def forward(self, x: Vectors) -> Vectors:
        return x * (self.RMS * x.shape[-1] ** 0.5)

    def inverse(self, x: Vectors) -> Vectors:
        """Scales embeddings back to unit vectors, [b, d]."""
        return x / (self.RMS * x.shape[-1] ** 0.5)


SCALINGS: dict[str, type[Scaling]] = {"standardised": Standardize, "unit": UnitScale}
"""Scalings by name."""

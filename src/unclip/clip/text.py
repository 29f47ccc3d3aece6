"""CLIP's text tower: a causal transformer; the feature at <end> is the caption's (Radford et al. 2021, section 2.4)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Range
from unclip.core.typing import Ids, Mask, Tokens, Vectors
from unclip.nn.blocks.transformer import Activation, Transformer


class TextEncoderConfig(Config, ABC):
    """The base class of settings of text encoders.

    Args:
        vocabulary: the number of different tokens; a run fills it in.
        context: the largest number of a caption's tokens; a run fills it in.
        width: features of a token, and of a caption.
    """

    vocabulary: int
    context: int
    width: int

    @abstractmethod
    def build(self) -> "TextEncoder":
        """Builds the encoder with its initial weights."""


class TextEncoder(nn.Module, ABC):
    """The base class of text encoders: from token ids and the mask of the real ones, [b, n], to features."""

    @abstractmethod
    def forward(self, ids: Ids, mask: Mask) -> tuple[Tokens, Vectors]:
        """Computes token features, [b, n, width], and the caption's, [b, width]."""


@dataclass(frozen=True)
class TextConfig(TextEncoderConfig):
    """Settings of `TextTower`. The paper's ViT-B has width 512, 12 layers, 8 heads and quick_gelu.

    Args:
        vocabulary: the number of different tokens.
        context: the largest number of a caption's tokens.
        width: features of a token.
        layers: transformer blocks.
        heads: attention heads; they must divide `width`.
        activation: "gelu", or the paper's "quick_gelu".

    Raises:
        ValueError: where `heads` does not divide `width`.
    """

    vocabulary: Annotated[int, Range(1, 10_000_000)]
    context: Annotated[int, Range(1, 65536)]
    width: Count = 128
    layers: Depth = 3
    heads: Depth = 4
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        if self.width < 1 or self.width % self.heads:
            raise ValueError(f"text width = {self.width}: must be divisible by its heads = {self.heads}")

    def build(self) -> "TextTower":
        return TextTower(self)


class TextTower(TextEncoder):
    """CLIP's text tower (Radford et al. 2021, section 2.4), a causal transformer.

    It is called with ids and mask, [b, n], and returns token features, [b, n, width], and the feature at <end>, which
    is the caption's, [b, width].
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Parameter(torch.zeros(config.context, config.width))
        self.transformer = Transformer(config.width, config.layers, config.heads, True, config.activation)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position, std=0.01)

    def forward(self, ids: Ids, mask: Mask) -> tuple[Tokens, Vectors]:
        tokens = self.transformer(self.embedding(ids) + self.position[: ids.shape[1]])
        end = mask.sum(1) - 1
        return tokens, tokens[torch.arange(len(ids), device=ids.device), end]

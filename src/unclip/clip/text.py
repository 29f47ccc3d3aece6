"""CLIP's text tower: a causal transformer; the feature at <end> is the caption's (Radford et al. 2021, section 2.4)."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Range
from unclip.core.typing import Ids, Mask, Tokens, Vectors
from unclip.nn.blocks.transformer import Activation, Transformer


@dataclass(frozen=True)
class TextConfig(Config):
    """vocabulary: token count; context: most tokens of a caption; the rest makes the transformer.

    Beside the paper's ViT-B stand width 512, 12 layers, 8 heads and quick_gelu.
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


class TextTower(nn.Module):
    """ids [b, n] -> token features [b, n, width] and the caption's feature at <end>, [b, width]."""

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

"""A network of few tokens that are denoised in one sequence with those that they are conditioned on.

    [W c_1 + p_1, ..., W c_m + p_m, V u_1 + q_1 + e, ..., V u_n + q_n + e] -> transformer -> norm -> what stands at u

c: tokens of the condition; u: what is denoised; p, q: learned positions; e: level and vector. Every token sees every
other one, so that words come to know what stands beside them in the caption, and where it is drawn.
"""

from dataclasses import dataclass

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, CountOrNone, Depth
from unclip.core.typing import Float, PerSample, Tensor
from unclip.nn.blocks.attention import mask_bias
from unclip.nn.blocks.embed import ConditionEmbedding, LevelEmbedding
from unclip.nn.blocks.transformer import Transformer


@dataclass(frozen=True)
class TokenNetConfig(Config):
    """Settings of `TokenNet`.

    Args:
        tokens: n, how many are denoised.
        dims: numbers of each.
        context: the largest number of the condition's tokens.
        token_width: features of each of those.
        vector_width: of `cond.vector`; 0: none.
        width: features of a token in the transformer.
        layers: transformer blocks.
        heads: attention heads; they must divide `width`.

    Raises:
        ValueError: where `heads` does not divide `width`.
    """

    tokens: Count
    dims: Count
    context: Count
    token_width: Count
    vector_width: CountOrNone = 0
    width: Count = 96
    layers: Depth = 3
    heads: Depth = 3

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width = {self.width}: must be divisible by heads = {self.heads}")

    def build(self) -> "TokenNet":
        """Builds the network with its initial weights."""
        return TokenNet(self)


class TokenNet(nn.Module):
    """A transformer over the condition's tokens and those that are denoised (U-ViT, Bao et al. 2023, section 3.1).

    It is called with x [b, n, dims], log_snr [b] and a `Condition` with tokens, and returns the shape of x. The output
    starts at zero.
    """

    def __init__(self, config: TokenNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.seen, self.own = nn.Linear(config.token_width, width), nn.Linear(config.dims, width)
        self.embedding = ConditionEmbedding(LevelEmbedding(width), config.vector_width, width)
        self.position = nn.Parameter(torch.zeros(config.context + config.tokens, width))
        self.transformer = Transformer(width, config.layers, config.heads)
        self.out = nn.Linear(width, config.dims)
        nn.init.normal_(self.position, std=0.02)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b n d"], log_snr: PerSample, cond: Condition) -> Float[Tensor, "b n d"]:
        assert cond.tokens is not None
        m, bias = cond.tokens.shape[1], mask_bias(cond.mask, x.shape[1])
        seen = self.seen(cond.tokens) + self.position[:m]
        own = self.own(x) + self.position[self.config.context :] + self.embedding(log_snr, cond)[:, None]
        return self.out(self.transformer(torch.cat([seen, own], dim=1), bias)[:, m:])

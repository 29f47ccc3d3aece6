"""A network of few tokens that are denoised in one sequence with those that they are conditioned on.

    [W c_1 + p_1, ..., W c_m + p_m, V u_1 + q_1 + e, ..., V u_n + q_n + e] -> transformer -> norm -> what stands at u

c: tokens of the condition; u: what is denoised; p, q: learned positions; e: level. Every token sees every
other one, so that words come to know what stands beside them in the caption, and where it is drawn.
"""

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.typing import Float, PerSample, Tensor
from unclip.nn.blocks.attention import mask_bias
from unclip.nn.blocks.embed import ConditionEmbedding, LevelEmbedding
from unclip.nn.blocks.transformer import Transformer

HEAD = 32
"""Channels of an attention head."""


class TokenNet(nn.Module):
    """A transformer over the condition's tokens and those that are denoised (U-ViT, Bao et al. 2023, section 3.1).

    It is called with x [b, n, dims], log_snr [b] and a `Condition` with tokens, and returns the shape of x. The output
    starts at zero.

    Args:
        tokens: n, how many are denoised.
        dims: numbers of each.
        context: the largest number of the condition's tokens.
        width: features of each of those, and of a token in the transformer; a multiple of 32.
        layers: transformer blocks.
    """

    def __init__(self, tokens: int, dims: int, context: int, width: int, layers: int) -> None:
        super().__init__()
        self.context = context
        self.seen, self.own = nn.Linear(width, width), nn.Linear(dims, width)
        self.embedding = ConditionEmbedding(LevelEmbedding(width), 0, width)
        self.position = nn.Parameter(torch.zeros(context + tokens, width))
        self.transformer = Transformer(width, layers, width // HEAD)
        self.out = nn.Linear(width, dims)
        nn.init.normal_(self.position, std=0.02)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b n d"], log_snr: PerSample, cond: Condition) -> Float[Tensor, "b n d"]:
        assert cond.tokens is not None
        m, bias = cond.tokens.shape[1], mask_bias(cond.mask, x.shape[1])
        seen = self.seen(cond.tokens) + self.position[:m]
        own = self.own(x) + self.position[self.context :] + self.embedding(log_snr, cond)[:, None]
        return self.out(self.transformer(torch.cat([seen, own], dim=1), bias)[:, m:])

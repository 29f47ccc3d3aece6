"""unCLIP's prior network (Ramesh et al. 2022, section 2.2): a causal transformer over

[caption tokens, CLIP text embedding, noise level, noised image embedding, query] -> prediction at the query.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config import Config
from unclip.core.typing import PerSample, Vectors
from unclip.nn.attention import hide
from unclip.nn.embed import LevelEmbedding
from unclip.nn.transformer import Transformer


@dataclass(frozen=True)
class PriorNetConfig(Config):
    """width, layers, heads of the transformer; embedding_width: of CLIP's joint space; token_width: of its tokens."""

    embedding_width: int
    token_width: int
    context: int
    width: int = 192
    layers: int = 4
    heads: int = 6


class PriorNet(nn.Module):
    """F(z, log-SNR, condition) for embeddings, [b, d] -> [b, d]; vector: the text embedding, tokens: the caption."""

    def __init__(self, config: PriorNetConfig) -> None:
        super().__init__()
        width, d = config.width, config.embedding_width
        self.tokens = nn.Linear(config.token_width, width)
        self.text, self.noised = nn.Linear(d, width), nn.Linear(d, width)
        self.level = LevelEmbedding(width)
        self.query = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(torch.zeros(config.context + 4, width))
        self.transformer = Transformer(width, config.layers, config.heads, causal=True)
        self.out = nn.Linear(width, d)
        nn.init.normal_(self.position, std=0.02)
        nn.init.zeros_(self.out.weight)

    def forward(self, z: Vectors, log_snr: PerSample, cond: Condition) -> Vectors:
        assert cond.tokens is not None and cond.vector is not None and cond.mask is not None
        caption = self.tokens(cond.tokens)
        caption = caption + self.position[: caption.shape[1]]
        tail = [self.text(cond.vector), self.level(log_snr), self.noised(z), self.query.expand(len(z), -1)]
        sequence = torch.cat([caption, torch.stack(tail, dim=1) + self.position[-4:]], dim=1)
        bias = hide(F.pad(cond.mask, (0, 4), value=True))
        return self.out(self.transformer(sequence, bias)[:, -1])

"""A one-step network of embeddings: [caption tokens, CLIP text embedding, query] -> prediction at the query."""

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.typing import Vectors
from unclip.nn.prior.caption_net import CaptionNet, PriorNetConfig


class QueryNet(CaptionNet):
    """The network of the contrastive prior: predicts an image embedding, [b, d], from a `Condition` in one step."""

    def __init__(self, config: PriorNetConfig) -> None:
        super().__init__(config, tail=1)
        self.query = nn.Parameter(torch.zeros(config.width))
        self.out = nn.Linear(config.width, config.embedding_width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, cond: Condition) -> Vectors:
        assert cond.vector is not None
        return self.out(self.read(cond, self.query.expand(len(cond.vector), 1, -1))[:, 0])

"""unCLIP's prior network (Ramesh et al. 2022, section 2.2): a causal transformer.

Over [caption tokens, CLIP text embedding, noise level, noised image embedding, query]; its answer stands at the query.
"""

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.typing import PerSample, Vectors
from unclip.nn.blocks.embed import FeatureEmbedding, LevelEmbedding, TableEmbedding
from unclip.nn.prior.caption_net import CaptionNet, PriorNetConfig


class PriorNet(CaptionNet):
    """unCLIP's prior network (Ramesh et al. 2022, section 2.2), a causal transformer that denoises image embeddings.

    It is called with z [b, d], log_snr [b] and a `Condition` of the text embedding (vector) and the caption's features
    (tokens), and returns [b, d].
    """

    def __init__(self, config: PriorNetConfig) -> None:
        super().__init__(config, tail=3)
        width, d = config.width, config.embedding_width
        self.noised, self.level = nn.Linear(d, width), prior_level(config)
        self.query = nn.Parameter(torch.zeros(width))
        self.out = nn.Linear(width, d)
        nn.init.zeros_(self.out.weight)

    def forward(self, z: Vectors, log_snr: PerSample, cond: Condition) -> Vectors:
        tail = torch.stack([self.level(log_snr), self.noised(z), self.query.expand(len(z), -1)], dim=1)
        return self.out(self.read(cond, tail)[:, -1])


def prior_level(config: PriorNetConfig) -> FeatureEmbedding:
    """Sines of the log-SNR, or `width` features of each entry of a table."""
    if config.level == "table":
        return TableEmbedding(config.width, config.width, config.entries)
    return LevelEmbedding(config.width)

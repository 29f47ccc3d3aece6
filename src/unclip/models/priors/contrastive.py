"""A one-step prior (ECLIPSE, Patel et al. 2023): a transformer maps the caption straight to the image embedding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.clip.loss import logits, softmax_loss
from unclip.core import processes
from unclip.core.config.base import Config
from unclip.core.config.ranges import Positive, Weight
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Mask, Tensor, Tokens, Vectors
from unclip.models.priors.base import conditions
from unclip.nn.blocks.embed import Standardize
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.nn.prior.query_net import QueryNet


@dataclass(frozen=True)
class ContrastivePriorOptions(Config):
    """What may be chosen of a one-step prior. contrast: weight of the contrastive loss (the paper's lambda)."""

    contrast: Weight = 0.2


@dataclass(frozen=True, kw_only=True)
class ContrastivePriorConfig(ContrastivePriorOptions):
    """A whole one-step prior. network: its transformer; scale: 1 / temperature of the CLIP that made the embeddings."""

    network: PriorNetConfig
    scale: Positive


class ContrastivePrior(nn.Module):
    """z = normalize(mean + std F(caption)): deterministic, one evaluation of the network a caption.

    The paper also feeds noise; the squared error's best answer does not depend on it, so there is none here.
    """

    per_sample = False  # the contrastive loss compares within a batch
    candidates = 1

    def __init__(self, config: ContrastivePriorConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = Standardize(config.network.embedding_width)
        self.net = QueryNet(config.network)

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """Of the training images' embeddings."""
        return self.statistics.mean

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """|z - z_i|^2 + contrast * CLIP's softmax loss of z against the batch's text embeddings.

        Equal captions of a batch are positives of each other. No randomness is needed.
        """
        return self.compare(self.embed(batch, noise), batch)

    def embed(self, batch: Batch, noise: Noise) -> tuple[Tensor, ...]:
        """z of each caption, [b, d]."""
        assert batch.text_embedding is not None and batch.text_tokens is not None and batch.mask is not None
        return (self._map(batch.text_embedding, batch.text_tokens, batch.mask),)

    def compare(self, rows: tuple[Tensor, ...], batch: Batch) -> Losses:
        """The loss of such z."""
        (z,), true, text, same = rows, batch.image_embedding, batch.text_embedding, batch.caption_id
        assert true is not None and text is not None and same is not None
        z, true, text, same = map(processes.gathered, (z, true, text, same))
        projection = (z - true).square().sum(1).mean()
        contrast = softmax_loss(logits(z, text, self.config.scale), same[:, None] == same[None])
        parts = {"projection": projection.detach(), "contrastive": contrast.detach()}
        return Losses(projection + self.config.contrast * contrast, parts)

    @torch.no_grad()
    def sample(self, text: Vectors, tokens: Tokens, mask: Mask, noise: Sequence[Noise]) -> Vectors:
        """Unit image embeddings [b, d]; the noise is not looked at."""
        return self._map(text, tokens, mask)

    def _map(self, text: Vectors, tokens: Tokens, mask: Mask) -> Vectors:
        cond, _ = conditions(text, tokens, mask)
        return F.normalize(self.statistics.inverse(self.net(cond)), dim=-1)

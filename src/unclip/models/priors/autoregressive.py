"""The autoregressive prior (unCLIP, section 2.2): the image embedding as a sequence of codes.

The embedding's principal components, the largest variance first, are each put into one of `buckets` codes; a causal
transformer predicts them one after another from the caption, z_t and the dot product z_i . z_t, which is a code, too:
training tells the true one, sampling draws it from the top half of what training saw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Fraction, Range, Signed
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Int, Mask, Tensor, Tokens, Vectors
from unclip.core.wide import wide
from unclip.models.priors.base import best_of, conditions
from unclip.nn.prior.buckets import Buckets, Quantiles
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.nn.prior.code_net import CodeNet, Logits
from unclip.nn.prior.pca import PCA


@dataclass(frozen=True)
class AutoregressivePriorOptions(Config):
    """What may be chosen of an autoregressive prior, whatever its CLIP. The paper's: buckets = waves = 1024.

    buckets: codes of each component (fewer suit less data); waves: see `CodeNet`. dots: codes of the dot product; top:
    the fraction of them that sampling draws from. drop_text: fraction of captions hidden in training; guidance: scale
    over the logits, 1 is none; candidates: samples of which the nearest to z_t is kept.
    """

    buckets: Annotated[int, Range(2, 65536)] = 256
    waves: Count = 64
    dots: Count = 32
    top: Annotated[float, Range(0, 1, above=True)] = 0.5
    drop_text: Fraction = 0.1
    guidance: Signed = 1.0
    candidates: Annotated[int, Range(1, 1024)] = 1


@dataclass(frozen=True, kw_only=True)
class AutoregressivePriorConfig(AutoregressivePriorOptions):
    """A whole autoregressive prior. network: its transformer; dims: components kept (the paper: 319 of 1,024)."""

    network: PriorNetConfig
    dims: Count


class AutoregressivePrior(nn.Module):
    """p(z_i | caption) = product of p(code j | codes before j, dot product, z_t, caption)."""

    per_sample = True

    def __init__(self, config: AutoregressivePriorConfig) -> None:
        super().__init__()
        self.config = config
        self.pca = PCA(config.network.embedding_width, config.dims)
        self.buckets = Buckets(config.dims, config.buckets)
        self.dots = Quantiles(config.dots)
        self.net = CodeNet(config.network, config.dims, config.buckets, config.dots, config.waves)

    @property
    def candidates(self) -> int:
        """Samples of which the nearest to z_t is kept."""
        return self.config.candidates

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """Of the training images' embeddings."""
        return self.pca.mean

    def fit(self, images: Float[Tensor, "n d"], texts: Float[Tensor, "n d"]) -> None:
        """Takes components, ranges and dot products from the training pairs' embeddings."""
        self.pca.fit(images)
        self.buckets.fit(self.pca(images))
        self.dots.fit((images * texts).sum(1))

    def encode(self, z: Vectors) -> Int[Tensor, "b dims"]:
        """Embeddings as codes."""
        return self.buckets(self.pca(z))

    def decode(self, codes: Int[Tensor, "b dims"]) -> Vectors:
        """Codes as unit embeddings."""
        return F.normalize(self.pca.inverse(self.buckets.inverse(codes)), dim=-1)

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """Cross-entropy in nats, mean over the codes; logged in bits a dimension. Where the text is dropped, so is the
        dot product, which speaks of it."""
        z, text, tokens = batch.image_embedding, batch.text_embedding, batch.text_tokens
        assert z is not None and text is not None and tokens is not None and batch.mask is not None
        cond, null = conditions(text, tokens, batch.mask)
        keep = noise.fork("drop").uniform((len(z),)) >= self.config.drop_text
        dot = torch.where(keep, self.dots((z * text).sum(1)), self.net.untold)
        codes = self.encode(z)
        total = F.cross_entropy(self.net(Condition.where(keep, cond, null), dot, codes).transpose(1, 2), codes)
        return Losses(total, {"bits_per_dim": total.detach() / math.log(2)})

    @torch.no_grad()
    def sample(self, text: Vectors, tokens: Tokens, mask: Mask, noise: Sequence[Noise]) -> Vectors:
        """Unit image embeddings [b, d]: of one candidate a `noise`, each caption keeps the nearest to its z_t."""
        cond, null = conditions(text, tokens, mask)
        return best_of(noise, text, cond, null, lambda *given: self.decode(self._codes(*given)))

    def _codes(self, cond: Condition, null: Condition, noise: Noise) -> Int[Tensor, "b dims"]:
        count = len(noise.seeds)
        guided = self.config.guidance != 1
        dot = self._high_dots(noise.fork("dot").uniform((count,)))
        if guided:
            cond, dot = Condition.cat([cond, null]), torch.cat([dot, torch.full_like(dot, self.net.untold)])
        draws, codes = noise.uniform((count, self.config.dims)), []
        logits, walk = self.net.start(cond, dot)
        for j in range(self.config.dims):
            if j:
                logits = walk.step(codes[-1].repeat(2) if guided else codes[-1])
            codes.append(sample_codes(self._guided(logits) if guided else logits, draws[:, j]))
        return torch.stack(codes, dim=1)

    def _high_dots(self, uniform: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Codes of the dot product from the top of what training saw; equally frequent there, so equally likely."""
        count = self.config.dots
        return (count * (1 - self.config.top * (1 - uniform))).long().clamp(0, count - 1)

    def _guided(self, logits: Float[Tensor, "b2 buckets"]) -> Logits:
        told, untold = logits.chunk(2)
        return untold + self.config.guidance * (told - untold)


def sample_codes(logits: Logits, uniform: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    """One code a row by inverting the cumulative distribution at a uniform number in [0, 1)."""
    below = wide(logits).softmax(-1).cumsum(-1)
    code = (below <= wide(uniform)[:, None]).sum(-1).clamp(max=logits.shape[-1] - 1)
    return code.to(logits.device)

"""The prior: from a caption's CLIP text embedding to a CLIP image embedding (unCLIP, section 2.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Range
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Mask, Tensor, Tokens, Vectors
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.parameterization import X0
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import Cosine
from unclip.diffusion.weighting import PlainX0
from unclip.models.priors.base import best_of, conditions
from unclip.nn.blocks.embed import SCALINGS
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.nn.prior.prior_net import PriorNet


def prior_diffusion() -> DiffusionConfig:
    """The paper's: cosine schedule, x0 predicted, plain squared error."""
    return DiffusionConfig(Cosine(), X0(), PlainX0())


def prior_sampling() -> Sampling:
    """Ancestral steps, half of the paper's 64, of variance beta-tilde instead of Analytic-DPM's (appendix C); no
    guidance, which hurt in the paper (section 5.5)."""
    return Sampling(steps=32, sampler=DDIM(eta=1.0), guidance=ClassifierFree(1.0))


@dataclass(frozen=True)
class PriorOptions(Config):
    """What may be chosen of a diffusion prior, whatever its CLIP.

    drop_text: fraction of captions hidden in training; candidates: samples of which the nearest to z_t is kept.
    scaling: what the diffusion sees of an embedding: standardised by the data's statistics, or the paper's unit vectors
    times 0.5375 sqrt(d).
    """

    diffusion: DiffusionConfig = field(default_factory=prior_diffusion)
    sampling: Sampling = field(default_factory=prior_sampling)
    drop_text: Fraction = 0.1
    candidates: Annotated[int, Range(1, 1024)] = 2
    scaling: Literal["standardised", "unit"] = "standardised"


@dataclass(frozen=True, kw_only=True)
class PriorConfig(PriorOptions):
    """A whole diffusion prior. network: its transformer, which fits one CLIP.

    lengths: whether it reads and draws embeddings as CLIP's projections give them (Karlo, imported), whose lengths it
    has learned, in the place of unit vectors.
    """

    network: PriorNetConfig
    lengths: bool = False


class Prior(nn.Module):
    """Diffusion over scaled image embeddings, conditioned on [caption tokens, text embedding]."""

    per_sample = True

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = SCALINGS[config.scaling](config.network.embedding_width)
        self.diffusion = Diffusion(PriorNet(config.network), config.diffusion)
        self.unscaled = Unscaled(config.network) if config.lengths else None

    @property
    def candidates(self) -> int:
        """Samples of which the nearest to z_t is kept."""
        return self.config.candidates

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """Of the training images' embeddings."""
        return self.statistics.mean

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """Plain squared error on the scaled embedding; needs image_embedding and the CLIP text features.

        Raises ValueError for a prior of other embeddings than a run's unit vectors.
        """
        if self.unscaled is not None:
            raise ValueError(
                "this prior was imported, with embeddings that keep their lengths: it cannot be trained on"
            )
        z, text, tokens = batch.image_embedding, batch.text_embedding, batch.text_tokens
        assert z is not None and text is not None and tokens is not None and batch.mask is not None
        cond, null = conditions(text, tokens, batch.mask)
        keep = noise.fork("drop").uniform((len(z),)) >= self.config.drop_text
        per_sample = self.diffusion.loss(self.statistics(z), Condition.where(keep, cond, null), noise)
        return Losses(per_sample.mean())

    @torch.no_grad()
    def sample(self, text: Vectors, tokens: Tokens, mask: Mask, noise: Sequence[Noise]) -> Vectors:
        """Image embeddings [b, d], unit vectors unless it keeps lengths: of one candidate a `noise`, each caption keeps
        the nearest to its z_t."""
        cond, null = self.unscaled(tokens, mask) if self.unscaled else conditions(text, tokens, mask)
        return best_of(noise, text, cond, null, self._drawn)

    def _drawn(self, cond: Condition, null: Condition, noise: Noise) -> Vectors:
        shape = (len(noise.seeds), self.config.network.embedding_width)
        *_, last = self.diffusion.sample(shape, cond, null, noise, self.config.sampling)
        z = self.statistics.inverse(last.x)
        return z if self.unscaled else F.normalize(z, dim=-1)


class Unscaled(nn.Module):
    """What a prior is told of a caption whose text embedding keeps its length, with no caption as the empty one.

        z_t = P y_end        y: CLIP's token features        null: those of the caption ""

    P, CLIP's own projection, and the features of the empty caption are kept with the weights.
    """

    def __init__(self, config: PriorNetConfig) -> None:
        super().__init__()
        self.projection = nn.Linear(config.token_width, config.embedding_width, bias=False)
        self.register_buffer("empty", torch.zeros(2, config.token_width))
        self.empty: Tensor

    def forward(self, tokens: Tokens, mask: Mask) -> tuple[Condition, Condition]:
        """(the captions, the empty one), a row for each caption."""
        rows = torch.arange(len(mask), device=mask.device)
        ends, empty = tokens[rows, mask.sum(1) - 1], self.empty.expand(len(mask), -1, -1)
        seen = torch.ones(empty.shape[:2], dtype=torch.bool, device=mask.device)
        null = Condition(vector=self.projection(empty[:, -1]), tokens=empty, mask=seen)
        return Condition(vector=self.projection(ends), tokens=tokens, mask=mask), null

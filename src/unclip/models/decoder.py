"""The decoder: a GLIDE-like diffusion model of images given a CLIP image embedding and the caption (unCLIP, 2.1).

With y the caption's token features and y_end its feature at <end> (a text transformer of the decoder's own), and z the
standardised image embedding or, where it is dropped, a learned null:

    e      = level(l) + V [z, y_end]      modulates every residual block
    tokens = [W z as 4 tokens, y]         further keys and values of every attention of the network

GLIDE (Nichol et al. 2021, section 4.1) adds y_end and attends to y; unCLIP (Ramesh et al. 2022, section 2.1) adds z to
both. A projection of tokens stands in each attention of the network; with `caption_width` the caption's are projected
and normalised once before them, as in Karlo.

It denoises the codes of a frozen autoencoder (`CodeSpace`), or pixels, as the paper's. With a `Sketched` network it
also learns to guess the small image from the caption.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from unclip.clip.text import TextEncoderConfig
from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, CountOrNone, Depth, Fraction, Side
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Bool, Ids, Images, Mask, State, Vectors
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.parameterization import Eps
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Ancestral, Step, Walk
from unclip.diffusion.schedules import CosineBeta, LogNormal
from unclip.diffusion.weighting import Simple
from unclip.models.autoencoder.space import CodeSpace, PixelSpace
from unclip.models.codes import check_codes, check_unlimited, side_denoised
from unclip.models.known_region import KnownRegion
from unclip.models.network import check_network
from unclip.models.sketch import Sketched, SketchedConfig
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.blocks.embed import Standardize


def decoder_diffusion(mean: float = 0.3, std: float = 1.5) -> DiffusionConfig:
    """EDM preconditioning with more high noise than EDM's own: placing and binding are decided there.

    So training seldom sees the cleanest levels, and sampling leaves them out: steps there add grain
    (docs/experiments.md#where-the-last-step-begins).
    """
    return DiffusionConfig(LogNormal(mean, std, s_min=0.01, s_max=80.0, s_last=0.1), limit=1.0)


def decoder_sampling() -> Sampling:
    """24 ancestral steps, guidance 2: the fresh noise mends what a briefly trained network got wrong before."""
    return Sampling(steps=24, sampler=DDIM(eta=1.0), guidance=ClassifierFree(2.0, limit=1.0))


def paper_diffusion() -> DiffusionConfig:
    """The paper's: T = 1000, cosine, eps predicted, variance learned by iDDPM's hybrid loss; x0 clamped in sampling."""
    return DiffusionConfig(CosineBeta(), Eps(), Simple(), limit=1.0, vlb_weight=1e-3)


def paper_sampling() -> Sampling:
    """The paper's 250 steps of the learned variance (appendix C, table 3); the guidance scale is ours."""
    return Sampling(steps=250, sampler=Ancestral("learned"), guidance=ClassifierFree(3.0, limit=1.0))


@dataclass(frozen=True)
class DecoderOptions(Config):
    """What may be chosen of a decoder, whatever CLIP and images it is for.

    image_tokens: how many tokens the embedding becomes beside the caption's. caption_width: features of a token that
    the network sees, of normalised projections of the text tower's; 0: those as they are. drop_embedding, drop_caption:
    fractions hidden in training, as in the paper (10 % and 50 %).
    """

    network: ImageNetworkConfig
    diffusion: DiffusionConfig = field(default_factory=decoder_diffusion)
    sampling: Sampling = field(default_factory=decoder_sampling)
    drop_embedding: Fraction = 0.1
    drop_caption: Fraction = 0.5
    image_tokens: Depth = 4
    caption_width: CountOrNone = 0


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(DecoderOptions):
    """A whole decoder. size: side of its images, px; embedding_width: of its CLIP; text: the decoder's own tower;
    coder: of the autoencoder whose codes it denoises, None: pixels.

    Raises ValueError where size, conditions, codes or a learned variance do not fit the network.
    """

    size: Side
    embedding_width: Count
    text: TextEncoderConfig
    coder: CoderConfig | None = None

    def __post_init__(self) -> None:
        if self.coder is not None:
            check_codes(self.size, self.coder.factor, self.network)
            check_unlimited(self.diffusion)
        check_network(self.network, self.side, self.diffusion)
        vector, tokens = self.embedding_width + self.text.width, self.caption_width or self.text.width
        if (self.network.vector_width, self.network.token_width) != (vector, tokens):
            raise ValueError(f"network vector_width, token_width must be {vector}, {tokens} for this decoder")
        asked_by = self.diffusion.parameterization
        if isinstance(self.network, SketchedConfig) and self.network.asked_by != asked_by:
            raise ValueError(f"network asked_by must be {asked_by} for a decoder of this diffusion")

    @property
    def side(self) -> int:
        """Of what is denoised: pixels, or cells of a code."""
        return side_denoised(self.size, self.coder)


class Decoder(nn.Module):
    """The image embedding is added to the level embedding and becomes 4 tokens beside the caption's."""

    per_sample = True

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        d, width = config.embedding_width, config.network.token_width
        self.statistics = Standardize(d)
        self.text = config.text.build()
        self.null_embedding = nn.Parameter(torch.zeros(d))
        self.to_tokens = nn.Linear(d, config.image_tokens * width)
        projected = [nn.Linear(config.text.width, width), nn.LayerNorm(width)] if config.caption_width else []
        self.caption = nn.Sequential(*projected)
        self.diffusion = Diffusion(config.network.build(), config.diffusion)
        self.space = CodeSpace(config.coder) if config.coder else PixelSpace(config.network.channels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what is denoised."""
        return self.space.channels, self.config.side, self.config.side

    def condition(self, z: Vectors, keep: Bool[torch.Tensor, " b"], ids: Ids, mask: Mask) -> Condition:
        """z: unit image embeddings; where not `keep`, the learned null stands in. Captions come already dropped."""
        z = torch.where(keep[:, None], self.statistics(z), self.null_embedding)
        tokens, end = self.text(ids, mask)
        own = self.to_tokens(z).unflatten(1, (self.config.image_tokens, -1))
        seen = torch.ones(own.shape[:2], dtype=torch.bool, device=z.device)
        return Condition(
            vector=torch.cat([z, end], dim=1),
            tokens=torch.cat([own, self.caption(tokens)], dim=1),
            mask=torch.cat([seen, mask], dim=1),
            words=ids if self.config.network.reads_words else None,
        )

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The diffusion loss, told what training tells; and that of a sketch."""
        return self.losses(self.clean(batch), self.training_condition(batch, noise), noise)

    def losses(self, x: Images, cond: Condition, noise: Noise, counts: State | None = None) -> Losses:
        """The losses of clean x. counts: where an error counts, as `Diffusion.loss` takes it."""
        loss = self.diffusion.loss(x, cond, noise, counts).mean()
        network = self.diffusion.denoiser.network
        if not isinstance(network, Sketched):
            return Losses(loss)
        sketch = network.loss(x, cond, noise.fork("sketch")).mean()
        return Losses(loss + sketch, {"sketch": sketch.detach()})

    def clean(self, batch: Batch) -> Images:
        """What is denoised of a batch: its images, or their codes."""
        return self.space.clean(batch.images, batch.latents)

    def training_condition(self, batch: Batch, noise: Noise) -> Condition:
        """A batch's embeddings and captions, dropped independently; a dropped caption is the empty one."""
        assert batch.image_embedding is not None and batch.ids is not None and batch.mask is not None
        whole = noise.fork("drop").uniform((2, noise.total(len(batch.ids))), common=True)
        draws = noise.own(whole.t())
        keep = draws[:, 0] >= self.config.drop_embedding
        ids, mask = drop_captions(batch.ids, batch.mask, draws[:, 1] >= self.config.drop_caption)
        return self.condition(batch.image_embedding, keep, ids, mask)

    @torch.no_grad()
    def conditions(self, z: Vectors, ids: Ids, mask: Mask) -> tuple[Condition, Condition]:
        """(unit embeddings and captions, neither of them): the two branches of guidance."""
        none = torch.zeros(len(z), dtype=torch.bool, device=z.device)
        return self.condition(z, ~none, ids, mask), self.condition(z, none, *drop_captions(ids, mask, none))

    def sample(self, z: Vectors, ids: Ids, mask: Mask, noise: Noise, how: Sampling | None = None) -> Iterator[Step]:
        """Images for unit embeddings and captions; every step's x0 is a preview in [-1, 1]."""
        cond, null = self.conditions(z, ids, mask)
        steps = self.diffusion.sample((len(z), *self.shape), cond, null, noise, how or self.config.sampling)
        yield from self.space.seen(steps)

    def fill(
        self,
        given: KnownRegion,
        branches: tuple[Condition, Condition],
        noise: Noise,
        how: Sampling,
        by: Callable[[KnownRegion], Walk],
    ) -> Iterator[Step]:
        """Images that keep what is given, to the last bit, and are painted elsewhere.

        branches: of guidance. by: the walk about what is known of the images, or of their codes.
        """
        known = self.space.known(given)
        start = noise.normal(known.images.shape)
        yield from self.space.seen(self.diffusion.walk(start, *branches, noise, how, by(known)), given)


def drop_captions(ids: Ids, mask: Mask, keep: Bool[torch.Tensor, " b"]) -> tuple[Ids, Mask]:
    """Where not `keep`, the caption becomes the empty one: <start> <end>."""
    last = ids.gather(1, (mask.sum(1, keepdim=True) - 1))
    empty_ids = torch.cat([ids[:, :1], last.expand(-1, ids.shape[1] - 1)], dim=1)
    empty_mask = (torch.arange(ids.shape[1], device=ids.device) < 2).expand_as(mask)
    return torch.where(keep[:, None], ids, empty_ids), torch.where(keep[:, None], mask, empty_mask)

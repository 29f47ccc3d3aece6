"""Latent diffusion (Rombach et al. 2022): `Diffusion` over the codes of a frozen autoencoder, told the caption.

The caption's tokens are attended to in every attention layer of the network (section 3.3; here beside the image's
own, as GLIDE does it), and its feature is added to the level embedding. The text tower starts as CLIP's and is trained
further, as the decoder's is. With `padding` the network is told what Stable Diffusion's is: the features of all
positions that the tower has, those behind the caption's end too, and nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import nn

from unclip.clip.text import TextEncoderConfig
from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Fraction, Range, Side
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Ids, Images, Int, Mask
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import Step
from unclip.models.autoencoder.model import Posterior
from unclip.models.autoencoder.standardize import StandardizeCodes
from unclip.models.codes import check_unlimited, latent_diffusion, latent_sampling
from unclip.models.decoder import drop_captions
from unclip.nn.backbones.config import ImageNetworkConfig


@dataclass(frozen=True)
class LatentOptions(Config):
    """What may be chosen of a diffusion over codes. drop_caption: fraction of captions hidden in training.

    padding: the number of the token with which each caption is filled up to all that the text tower reads; None: none
    is, and the network is told the caption's own feature, too.
    """

    network: ImageNetworkConfig
    diffusion: DiffusionConfig = field(default_factory=latent_diffusion)
    sampling: Sampling = field(default_factory=latent_sampling)
    drop_caption: Fraction = 0.1
    padding: Annotated[int, Range(0, 9_999_999)] | None = None


@dataclass(frozen=True, kw_only=True)
class LatentConfig(LatentOptions):
    """A whole diffusion over codes. side: of a code, cells; network.channels: the code's.

    Raises ValueError where side or text do not fit the network.
    """

    side: Side
    text: TextEncoderConfig

    def __post_init__(self) -> None:
        network, width, feature = self.network, self.text.width, self.text.width if self.padding is None else 0
        if self.side < 1 or self.side % network.multiple:
            raise ValueError(f"side = {self.side}: codes of this side; this network needs a multiple of "
                             f"{network.multiple}: change the autoencoder's factor or the network")  # fmt: skip
        if (network.vector_width, network.token_width) != (feature, width):
            raise ValueError(
                f"network vector_width, token_width must be {feature}, {width}: the caption's feature, its tokens"
            )
        if self.padding is not None and self.padding >= self.text.vocabulary:
            raise ValueError(f"padding = {self.padding}: the text tower knows tokens below {self.text.vocabulary}")
        check_unlimited(self.diffusion)


class LatentDiffusion(nn.Module):
    """`Diffusion` over codes of mean 0 and variance 1 in each channel (`StandardizeCodes`)."""

    per_sample = True

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.statistics = StandardizeCodes(config.network.channels)
        self.text = config.text.build()
        self.diffusion = Diffusion(config.network.build(), config.diffusion)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a code."""
        return self.config.network.channels, self.config.side, self.config.side

    def fit(self, codes: Images) -> None:
        """Measures mean and standard deviation of each channel."""
        self.statistics.fit(codes)

    def standardized(self, codes: Images) -> Images:
        """Codes as the autoencoder gives them -> as the diffusion sees them."""
        return self.statistics(codes)

    def codes(self, x: Images) -> Images:
        """The inverse: what the autoencoder decodes."""
        return self.statistics.inverse(x)

    def condition(self, ids: Ids, mask: Mask) -> Condition:
        """The caption's feature and tokens; with `padding` the features of all positions."""
        if self.config.padding is None:
            tokens, end = self.text(ids, mask)
            return Condition(vector=end, tokens=tokens, mask=mask)
        whole = filled(ids, mask, self.config.text.context, self.config.padding)
        return Condition(tokens=self.text(whole, torch.ones_like(whole, dtype=torch.bool))[0])

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The diffusion loss on codes drawn from their posteriors; a dropped caption is the empty one."""
        assert batch.latents is not None and batch.ids is not None and batch.mask is not None
        codes = Posterior.of(batch.latents).sample(noise.fork("posterior"))
        keep = noise.fork("drop").uniform((len(codes),)) >= self.config.drop_caption
        cond = self.condition(*drop_captions(batch.ids, batch.mask, keep))
        return Losses(self.diffusion.loss(self.standardized(codes), cond, noise).mean())

    def sample(self, ids: Ids, mask: Mask, noise: Noise, how: Sampling | None = None) -> Iterator[Step]:
        """Standardised codes for captions; `codes` makes them decodable."""
        with torch.no_grad():
            cond = self.condition(ids, mask)
            null = self.condition(*drop_captions(ids, mask, torch.zeros_like(ids[:, 0], dtype=torch.bool)))
        yield from self.diffusion.sample((len(ids), *self.shape), cond, null, noise, how or self.config.sampling)


def filled(ids: Ids, mask: Mask, context: int, padding: int) -> Int[torch.Tensor, "b context"]:
    """Captions of `context` tokens: `padding` behind each one's end."""
    whole = ids.new_full((len(ids), context), padding)
    whole[:, : ids.shape[1]] = torch.where(mask, ids, padding)
    return whole

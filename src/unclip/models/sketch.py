"""A sketch beside a decoder's network: a guess at the small image, from words and places seen together.

With S(x) the means of k x k cells of a noisy image x = alpha x0 + sigma eps:

    S(x)  = alpha S(x0) + (sigma / k) eps',   eps' ~ N(0, I)  a noisy small image, of k^2 times the SNR
    guess = E[S(x0) | S(x), caption]                          `TokenNet` over words and squares of 2 x 2 cells
    F(x)  = network([x, guess, ...])                              the guess, enlarged, beside the network's input

Words about where things are bind in such a transformer after 60,000 captions; a U-Net that attends to words had not
learned them after ten times as many (docs/experiments.md#a-sketch). It reads the caption alone, in words of its own:
the image embedding names the objects, too, and with that at hand, or with CLIP's words as they are, it learned none of
it in this time. Its loss is its own, at states of its own. Unlike the small image of a cascade, which is drawn first
and kept, a guess is made anew of every state, so the network sees in sampling what it has seen in training.
"""

import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.ranges import Count, Depth, Side
from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tokens
from unclip.diffusion.denoiser import Denoiser
from unclip.diffusion.level import alpha, bounded, like
from unclip.diffusion.parameterization import EDM, Parameterization
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import LogNormal
from unclip.nn.backbones.config import AroundConfig
from unclip.nn.backbones.token_net import HEAD, TokenNet

SCALED = EDM()
"""Of the small image, to its network and back."""
SMALL_DIFFUSION = DiffusionConfig(LogNormal(0.0, 1.2, s_min=0.01, s_max=80.0), SCALED)
"""What the small image is learned by: EDM's loss, at levels where places are decided."""
SQUARE = 2
"""The side of the squares of the small image that are a token, cells."""


@dataclass(frozen=True)
class SketchedConfig(AroundConfig):
    """Settings of `Sketched`.

    Args:
        of: the network; it sees the guess as the first of its image channels.
        side: of what is denoised.
        small: the side of the small image.
        vocabulary: the number of different tokens of captions.
        context: the largest number of a caption's tokens.
        asked_by: the parameterisation of the process, by whose c_in the input comes multiplied.
        width: features of a token in the transformer.
        layers: of the transformer.

    Raises:
        ValueError: where `small` does not divide the side or is odd, or the width has no whole heads.
    """

    side: Side
    small: Side
    vocabulary: Count
    context: Count
    asked_by: Parameterization = field(default_factory=EDM)
    width: Count = 64
    layers: Depth = 3

    def __post_init__(self) -> None:
        if self.side % self.small or self.small % SQUARE:
            raise ValueError(
                f"sketch = {self.small}: must be even, and divide the side of what is denoised, {self.side}"
            )
        if self.width % HEAD:
            raise ValueError(f"sketch_width = {self.width}: must be a multiple of {HEAD}")

    @property
    def image_channels(self) -> int:
        """Of `cond.image`, which the network sees behind the guess; 0: none."""
        return self.of.image_channels - self.channels

    @property
    def reads_words(self) -> bool:
        """The sketch does."""
        return True

    @property
    def multiple(self) -> int:
        """The number of pixels that the sides of an image must be divisible by: it is made for one size."""
        return self.side

    def changed(self, **changes: object) -> "SketchedConfig":
        """The same sketch beside a network with these settings."""
        if isinstance(given := changes.get("image_channels"), int):
            changes["image_channels"] = self.channels + given
        return super().changed(**changes)

    def build(self) -> "Sketched":
        return Sketched(self)


class Sketched(nn.Module):
    """A network that sees, beside its input, what a small transformer makes of the caption and of its input made small.

    It is called with x [b, c, h, w], log_snr [b] and a `Condition` with tokens, and returns what its network does.
    """

    def __init__(self, config: SketchedConfig) -> None:
        super().__init__()
        self.config = config
        self.factor = config.side // config.small
        self.words = nn.Embedding(config.vocabulary, config.width)
        nn.init.normal_(self.words.weight, std=0.1)
        tokens, dims = (config.small // SQUARE) ** 2, config.channels * SQUARE**2
        self.sketch = Denoiser(TokenNet(tokens, dims, config.context, config.width, config.layers), SCALED)
        self.network = config.of.build()

    def forward(self, x: Images, log_snr: PerSample, cond: Condition) -> Float[torch.Tensor, "b c2 h w"]:
        with torch.no_grad():
            scale = like(self.config.asked_by.input_scale(bounded(log_snr)), x)
            guess = F.interpolate(self.guess(x / scale, log_snr, cond), scale_factor=self.factor)
        image = guess if cond.image is None else torch.cat([guess, cond.image], dim=1)
        return self.network(x, log_snr, replace(cond, image=image))

    def guess(self, x: Images, log_snr: PerSample, cond: Condition) -> Float[torch.Tensor, "b c small small"]:
        """E[S(x0) | S(x), caption] of states x."""
        small, level = self.made_small(x, log_snr)
        tokens = self.sketch(small, level, self._told(cond)).x0.transpose(1, 2)
        side = self.config.small // SQUARE
        return F.pixel_shuffle(tokens.unflatten(2, (side, side)), SQUARE)

    def made_small(self, x: Images, log_snr: PerSample) -> tuple[Tokens, PerSample]:
        """The squares of S(x), scaled to what their level has; and that level, log-SNR + ln k^2."""
        level = log_snr + 2 * math.log(self.factor)
        scale = like(alpha(bounded(level)) / alpha(bounded(log_snr)), x)
        return self._squares(x) * scale[:, :, 0], level

    def loss(self, x0: Images, cond: Condition, noise: Noise) -> PerSample:
        """The diffusion loss of the small images of clean x0, [b]."""
        return Diffusion(self.sketch.network, SMALL_DIFFUSION).loss(self._squares(x0), self._told(cond), noise)

    def _squares(self, x: Images) -> Tokens:
        small = F.pixel_unshuffle(F.avg_pool2d(x, self.factor), SQUARE)
        return small.flatten(2).transpose(1, 2)

    def _told(self, cond: Condition) -> Condition:
        """The caption alone, in words of its own."""
        if cond.words is None:
            raise ValueError("condition.words is None: a sketch reads the caption's token ids")
        mask = None if cond.mask is None else cond.mask[:, -cond.words.shape[1] :]
        return Condition(tokens=self.words(cond.words), mask=mask)

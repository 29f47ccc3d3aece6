"""Priors that need no training: the text embedding in the image embedding's place, and one embedding for all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F

from unclip.core.noise import Noise
from unclip.core.typing import Float, Mask, Tensor, Tokens, Vectors


@dataclass(frozen=True)
class TextPrior:
    """z_i = z_t (unCLIP, section 5.1), or normalize(z_t + shift) where `shift` is the mean gap, image less text.

    CLIP's images and captions lie in two separate cones; the shift moves one onto the other, on average.
    """

    mean: Float[Tensor, " d"]
    shift: Float[Tensor, " d"] | None = None
    candidates: int = 1

    def sample(self, text: Vectors, tokens: Tokens, mask: Mask, noise: Sequence[Noise]) -> Vectors:
        """The captions' own embeddings; the noise is not looked at."""
        return text if self.shift is None else F.normalize(text + self.shift, dim=-1)


@dataclass(frozen=True)
class ConstantPrior:
    """The same embedding for every caption, as the decoder's null: then the image has the caption alone."""

    embedding: Float[Tensor, " d"]
    mean: Float[Tensor, " d"]
    candidates: int = 1

    def sample(self, text: Vectors, tokens: Tokens, mask: Mask, noise: Sequence[Noise]) -> Vectors:
        """One embedding, b times."""
        return self.embedding.expand(len(text), -1)

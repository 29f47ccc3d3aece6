"""What every prior is to those who use it: from captions to CLIP image embeddings."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Float, Mask, Tensor, Tokens, Vectors

ROWS = 32
"""Embeddings that are drawn in one batch where each caption has several candidates."""


@runtime_checkable
class PriorModel(Protocol):
    """A way to get an image embedding for a caption; trained or not."""

    @property
    def candidates(self) -> int:
        """How many streams of noise `sample` wants: one a candidate, of which each caption keeps the best."""
        ...

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """The mean of the image embeddings that it knows: where scores measure cosines from."""
        ...

    def sample(self, text: Vectors, tokens: Tokens, mask: Mask, noise: Sequence[Noise]) -> Vectors:
        """Image embeddings [b, d] for captions: CLIP's text embeddings, its token features, and which are real."""
        ...


def best_of(
    noise: Sequence[Noise], text: Vectors, cond: Condition, null: Condition, draw: Callable[..., Vectors]
) -> Vectors:
    """One candidate a `noise`, of which each caption keeps the `nearest`, [b, d].

    draw: (condition, null, noise) -> embeddings. It draws several candidates in one batch, which costs a small batch
    hardly more than one; more than ROWS embeddings are drawn one batch after the other.
    """
    together = max(1, ROWS // max(1, len(text)))
    found = list[Tensor]()
    for i in range(0, len(noise), together):
        some = noise[i : i + together]
        drawn = draw(*(Condition.cat([c] * len(some)) for c in (cond, null)), Noise.cat(some))
        found += drawn.chunk(len(some))
    return nearest(torch.stack(found), text)


def nearest(found: Float[Tensor, "candidates b d"], text: Vectors) -> Vectors:
    """Of several candidates the one with the largest dot product z_i . z_t (unCLIP, section 2.2), [b, d]."""
    best = (found * text).sum(-1).argmax(0)
    return found[best, torch.arange(len(text), device=text.device)]


def conditions(text: Vectors, tokens: Tokens, mask: Mask) -> tuple[Condition, Condition]:
    """(condition, null): the null keeps nothing but one blank token, so that attention has what to look at.

    The text embedding is scaled to an rms of 1.
    """
    cond = Condition(vector=text * text.shape[-1] ** 0.5, tokens=tokens, mask=mask)
    first = torch.zeros_like(mask)
    first[:, 0] = True
    return cond, Condition(vector=torch.zeros_like(text), tokens=torch.zeros_like(tokens), mask=first)

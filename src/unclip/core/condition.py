"""What a backbone may be conditioned on, in one type, so that guidance and dropout are written once."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.typing import Bool, Float, Images, Int, Mask, Tokens, Vectors


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a network may be conditioned on. All parts are optional, and all that are given have the same batch size b.

    Args:
        vector: added to the embedding of the noise level, [b, v]; an image embedding, say, or a one-hot class.
        tokens: attended to, [b, n, w].
        mask: which tokens are real, bool [b, n]; None: all of them.
        words: the caption's token ids, [b, m], which stand last in `mask`; for a network with words of its own.
        image: seen beside the network's input, [b, c, h, w] at the input's height and width; a low-resolution image,
            say, or a mask.
        guidance: (scale, jump) as a distilled network is told them, [b, 2]: see `GuidanceInput`.
    """

    vector: Vectors | None = None
    tokens: Tokens | None = None
    mask: Mask | None = None
    words: Int[Tensor, "b m"] | None = None
    image: Images | None = None
    guidance: Float[Tensor, "b 2"] | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> "Condition":
        """Applies `change` to every part that is there and returns the new condition."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Condition(**{k: None if v is None else change(v) for k, v in parts.items()})

    def repeat(self, times: int) -> "Condition":
        """Repeats each sample `times` in a row: a, a, b, b, ..."""
        return self.map(lambda t: t.repeat_interleave(times, dim=0))

    @staticmethod
    def cat(parts: "list[Condition]") -> "Condition":
        """Joins conditions along the batch; all must have the same parts. Fewer tokens are filled up, masked."""
        lengths = {part.tokens.shape[1] for part in parts if part.tokens is not None}
        even = [part._filled(max(lengths)) for part in parts] if len(lengths) > 1 else parts
        return _zip(even, lambda tensors: torch.cat(tensors))

    def _filled(self, n: int) -> "Condition":
        """With n tokens, those that are not its own masked."""
        assert self.tokens is not None
        lacks, real = n - self.tokens.shape[1], torch.ones_like(self.tokens[..., 0], dtype=torch.bool)
        mask = F.pad(real if self.mask is None else self.mask, (0, lacks))
        words = None if self.words is None else F.pad(self.words, (0, lacks))
        return replace(self, tokens=F.pad(self.tokens, (0, 0, 0, lacks)), mask=mask, words=words)

    @staticmethod
    def where(keep: Bool[Tensor, " b"], a: "Condition", b: "Condition") -> "Condition":
        """Chooses for each sample: row i comes from `a` where keep[i] is True, otherwise from `b`."""
        return _zip([a, b], lambda t: torch.where(keep.view(-1, *[1] * (t[0].dim() - 1)), t[0], t[1]))


def _zip(parts: list[Condition], join: Callable[[list[Tensor]], Tensor]) -> Condition:
    joined: dict[str, Tensor | None] = {}
    for field in fields(Condition):
        values = [getattr(p, field.name) for p in parts]
        present = [v for v in values if v is not None]
        assert len(present) in (0, len(values)), f"only some conditions have a {field.name}"
        joined[field.name] = join(present) if present else None
    return Condition(**joined)

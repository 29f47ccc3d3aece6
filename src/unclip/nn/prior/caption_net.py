"""What the prior networks share: a causal transformer that has read the caption (unCLIP, section 2.2).

[caption tokens, CLIP text embedding, tail ...]: the tail is what each network adds, and where it answers.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Range
from unclip.core.typing import Float, Tokens
from unclip.nn.blocks.attention import hide
from unclip.nn.blocks.transformer import Transformer

Tail = Float[Tensor, "b tail width"]


@dataclass(frozen=True)
class PriorNetConfig(Config):
    """Settings of the priors' networks.

    Args:
        embedding_width: d, of CLIP's image and text embeddings.
        token_width: features of the caption's tokens.
        context: the largest number of a caption's tokens.
        width: features of a token in the transformer.
        layers: transformer blocks.
        heads: attention heads; they must divide `width`.
        level: what a network that denoises is told: "log_snr", or "table", the features of a table of `entries` levels
            that is kept with the weights (of an imported network).
        entries: of that table.
    """

    embedding_width: Count
    token_width: Count
    context: Annotated[int, Range(1, 65536)]
    width: Count = 192
    layers: Depth = 4
    heads: Depth = 6
    level: Literal["log_snr", "table"] = "log_snr"
    entries: Annotated[int, Range(2, 100_000)] = 1000


class CaptionNet(nn.Module):
    """The base class of the priors' networks: a causal transformer that has read the caption (unCLIP, section 2.2).

    Args:
        config: its settings.
        tail: the largest number of tokens that a network adds behind the text embedding.
    """

    def __init__(self, config: PriorNetConfig, tail: int) -> None:
        super().__init__()
        width = config.width
        self.context = config.context
        self.tokens, self.text = nn.Linear(config.token_width, width), nn.Linear(config.embedding_width, width)
        self.position = nn.Parameter(torch.zeros(config.context + 1 + tail, width))
        self.transformer = Transformer(width, config.layers, config.heads, causal=True)
        nn.init.normal_(self.position, std=0.02)

    def sequence(self, cond: Condition, tail: Tail) -> tuple[Tokens, Float[Tensor, "b 1 1 m"]]:
        """Embeds [caption tokens, text embedding, tail]; returns it with the bias that hides the caption's padding."""
        assert cond.tokens is not None and cond.vector is not None and cond.mask is not None
        caption = self.tokens(cond.tokens)
        caption = caption + self.position[: caption.shape[1]]
        own = torch.cat([self.text(cond.vector)[:, None], tail], dim=1)
        own = own + self.position[self.context : self.context + own.shape[1]]
        return torch.cat([caption, own], dim=1), hide(F.pad(cond.mask, (0, own.shape[1]), value=True))

    def read(self, cond: Condition, tail: Tail) -> Tail:
        """Computes the features of the tail's tokens, [b, tail, width]."""
        sequence, bias = self.sequence(cond, tail)
        return self.transformer(sequence, bias)[:, -tail.shape[1] :]

"""A pre-norm transformer, causal or not: both towers of CLIP and the prior are made of it."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from unclip.core.typing import Float, Tokens
from unclip.nn.blocks.attention import check_heads, mix

Past = Float[Tensor, "b m w2"]
"""Keys and values of earlier tokens in one layer."""
Activation = Literal["gelu", "quick_gelu"]


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x), near GELU (Hendrycks & Gimpel 2016, section 2); what CLIP's published models use."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[Activation, type[nn.Module]] = {"gelu": nn.GELU, "quick_gelu": QuickGELU}


def mlp(width: int, activation: nn.Module) -> nn.Sequential:
    """width -> 4 width -> width."""
    return nn.Sequential(nn.Linear(width, 4 * width), activation, nn.Linear(4 * width, width))


class Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x).

    First weights as in CLIP's published code: normal, of std width^-1/2 for queries, keys and values, (2 width)^-1/2
    for the MLP's first layer, (2 layers width)^-1/2 for both outputs onto the residual, as in GPT-2; attention's biases
    zero. layers: of the whole transformer.
    """

    def __init__(self, width: int, heads: int, layers: int, activation: Activation) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = mlp(width, ACTIVATIONS[activation]())
        first, last = self.mlp.get_parameter("0.weight"), self.mlp.get_parameter("2.weight")
        for weight, variance in (
            (self.qkv.weight, 1.0),
            (first, 0.5),
            (self.out.weight, 0.5 / layers),
            (last, 0.5 / layers),
        ):
            nn.init.normal_(weight, std=(variance / width) ** 0.5)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, x: Tokens, bias: Tensor | None, past: Past | None = None
    ) -> tuple[Tokens, Float[Tensor, "b all w2"]]:
        """The features, and the keys and values of `past` and of these tokens, for those that follow."""
        qkv = self.qkv(self.norm1(x))
        own = qkv[..., x.shape[-1] :]
        x = x + self.out(mix(qkv, self.heads, bias, past))
        return x + self.mlp(self.norm2(x)), own if past is None else torch.cat([past, own], dim=1)


class Transformer(nn.Module):
    """A transformer, pre-norm, with a final norm: from tokens [b, n, width] to features of the same shape.

    Args:
        width: features of a token.
        layers: blocks.
        heads: attention heads; they must divide `width`.
        causal: whether a token sees only those before it and itself.
        activation: "gelu", or CLIP's "quick_gelu".
    """

    def __init__(
        self, width: int, layers: int, heads: int, causal: bool = False, activation: Activation = "gelu"
    ) -> None:
        super().__init__()
        self.causal = causal
        self.blocks = nn.ModuleList(Block(width, heads, layers, activation) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tokens, bias: Float[Tensor, "#b 1 #n n"] | None = None) -> Tokens:
        """Computes the features of all tokens.

        bias: added to the attention scores, [b or 1, 1, n or 1, n]; hides padding. A causal model adds its own
        triangle.
        """
        bias = self._causal(x, 0, bias)
        for block in self.blocks:
            x, _ = block(x, bias)
        return self.norm(x)

    def extend(
        self, x: Tokens, past: Sequence[Past | None], bias: Float[Tensor, "#b 1 #n k"] | None = None
    ) -> tuple[Tokens, list[Float[Tensor, "b all w2"]]]:
        """Computes the features of tokens that follow others, and what the next ones will need.

        Token by token or all at once, a causal model gives the same features.

        Args:
            x: the new tokens, [b, n, width].
            past: what an earlier call returned for each layer; None: nothing before.
            bias: added to the attention scores, over the k keys, those of `past` first.
        """
        bias, kept = self._causal(x, 0 if past[0] is None else past[0].shape[1], bias), []
        for block, own in zip(self.blocks, past, strict=True):
            x, own = block(x, bias, own)
            kept.append(own)
        return self.norm(x), kept

    def _causal(self, x: Tokens, before: int, bias: Tensor | None) -> Tensor | None:
        if not self.causal:
            return bias
        n = x.shape[1]
        triangle = torch.full((n, before + n), -1e4, device=x.device).triu(before + 1)[None, None]
        return triangle if bias is None else bias + triangle

"""A pre-norm transformer, causal or not: both towers of CLIP and the prior are made of it."""

import torch
from torch import Tensor, nn

from unclip.core.typing import Float, Tokens
from unclip.nn.attention import mix


def mlp(width: int, activation: nn.Module) -> nn.Sequential:
    """width -> 4 width -> width."""
    return nn.Sequential(nn.Linear(width, 4 * width), activation, nn.Linear(4 * width, width))


class Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = mlp(width, nn.GELU())

    def forward(self, x: Tokens, bias: Tensor | None) -> Tokens:
        x = x + self.out(mix(self.qkv(self.norm1(x)), self.heads, bias))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """`layers` blocks and a final norm. Residual outputs start small, 0.02 / sqrt(2 layers), as in GPT-2 and CLIP."""

    def __init__(self, width: int, layers: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                last = name.endswith(("out.weight", "mlp.2.weight"))
                nn.init.normal_(weight, std=width**-0.5 * ((2 * layers) ** -0.5 if last else 1.0))

    def forward(self, x: Tokens, bias: Float[Tensor, "#b 1 #n n"] | None = None) -> Tokens:
        """bias: added to the attention scores (padding); a causal model adds its own triangle."""
        if self.causal:
            n = x.shape[1]
            triangle = torch.full((n, n), -1e4, device=x.device).triu(1)[None, None]
            bias = triangle if bias is None else bias + triangle
        for block in self.blocks:
            x = block(x, bias)
        return self.norm(x)

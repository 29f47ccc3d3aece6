"""The spatial transformer of latent diffusion (Rombach et al. 2022, section 3.3): a feature map as tokens, which attend
to themselves and then to the condition's.

    x --norm, W_in--> h;   h + attention(norm h);   h + attention(norm h, tokens);   h + gated(norm h);   x + W_out h
    gated(h) = W_2 (a GELU(b)),  [a, b] = W_1 h      (GEGLU, Shazeer 2020)
"""

import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.typing import Float, Mask, Tokens
from unclip.nn.blocks.attention import attend, check_heads, hide, mix, split_heads
from unclip.nn.blocks.init import start_at_zero


class GatedMLP(nn.Module):
    """width -> twice 4 width, of which one half gates the other -> width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tokens) -> Tokens:
        value, gate = self.first(x).chunk(2, dim=-1)
        return self.second(value * F.gelu(gate))


class TokenAttention(nn.Module):
    """Attention of some tokens, [b, n, width], to others, [b, m, token_width]; none of its inputs has a bias."""

    def __init__(self, width: int, heads: int, token_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv = nn.Linear(width, width, bias=False), nn.Linear(token_width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tokens, tokens: Float[Tensor, "b m k"], bias: Tensor | None) -> Tokens:
        q, (k, v) = self.q(x), self.kv(tokens).chunk(2, dim=-1)
        q, k, v = (split_heads(part, self.heads) for part in (q, k, v))
        return self.out(attend(q, k, v, bias).transpose(1, 2).flatten(2))


class SpatialBlock(nn.Module):
    """Attention to itself, to the condition's tokens, and a gated MLP, each behind a norm and beside its input."""

    def __init__(self, width: int, heads: int, token_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.to_tokens = TokenAttention(width, heads, token_width) if token_width else None
        self.mlp = GatedMLP(width)

    def forward(self, x: Tokens, tokens: Float[Tensor, "b m k"] | None, bias: Tensor | None) -> Tokens:
        x = x + self.out(mix(self.qkv(self.norm1(x)), self.heads))
        if self.to_tokens is not None and tokens is not None:
            x = x + self.to_tokens(self.norm2(x), tokens, bias)
        return x + self.mlp(self.norm3(x))


class SpatialTransformer(nn.Module):
    """A transformer over the positions of a feature map, told the condition's tokens; it starts as nothing.

    Args:
        width: channels of the feature map, [b, width, h, w].
        heads: attention heads; they must divide `width`.
        token_width: features of the condition's tokens; 0: there are none.
        layers: blocks.
        groups: of the group norm before it.
    """

    def __init__(self, width: int, heads: int, token_width: int, layers: int, groups: int) -> None:
        super().__init__()
        check_heads(width, heads)
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.enter, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        self.blocks = nn.ModuleList(SpatialBlock(width, heads, token_width) for _ in range(layers))
        start_at_zero([self.leave])

    def forward(
        self, x: Float[Tensor, "b c h w"], tokens: Tokens | None, mask: Mask | None
    ) -> Float[Tensor, "b c h w"]:
        flat = self.enter(self.norm(x).flatten(2).transpose(1, 2))
        bias = None if mask is None else hide(mask)
        for block in self.blocks:
            flat = block(flat, tokens, bias)
        return x + self.leave(flat).transpose(1, 2).view_as(x)

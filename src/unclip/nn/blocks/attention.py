"""Attention, once for every network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.typing import Float, Mask, Tokens

Heads = Float[Tensor, "b heads n k"]
SHORT = 512
"""Up to this many keys, training on a CPU uses plain softmax attention."""


def attend(q: Heads, k: Float[Tensor, "b heads m k"], v: Float[Tensor, "b heads m k"], bias: Tensor | None) -> Heads:
    """softmax(q k^T / sqrt(k) + bias) v.

    On a CPU the backward of `scaled_dot_product_attention` is 2-10x slower than plain attention at short lengths
    (docs/results.md), so training there takes the plain form.
    """
    if q.requires_grad and q.device.type == "cpu" and k.shape[2] <= SHORT:
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        return (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if bias is None else bias.to(q.dtype))


def check_heads(width: int, heads: int) -> None:
    """Raises ValueError where the heads cannot share the channels evenly."""
    if width % heads:
        raise ValueError(f"width = {width}: must be divisible by its heads = {heads}; take a multiple of {heads}")


def split_heads(x: Tokens, heads: int) -> Heads:
    """[b, n, heads * k] -> [b, heads, n, k]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def hide(mask: Mask) -> Float[Tensor, "b 1 1 n"]:
    """An additive bias that keeps tokens outside `mask` from being seen."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -1e4)[:, None, None]


def mask_bias(mask: Mask | None, own: int) -> Float[Tensor, "b 1 1 m"] | None:
    """The bias for `own` keys that are all seen, behind the tokens of `mask`; None where nothing is hidden."""
    return None if mask is None else hide(F.pad(mask, (0, own), value=True))


def mix(
    qkv: Float[Tensor, "b n w3"], heads: int, bias: Tensor | None = None, kv: Float[Tensor, "b m w2"] | None = None
) -> Tokens:
    """Multi-head attention of projected tokens, [b, n, 3 w] -> [b, n, w].

    kv: keys and values of further tokens, [b, m, 2 w]; they stand before the own ones, also in `bias`.
    """
    q, k, v = (split_heads(part, heads) for part in qkv.chunk(3, dim=-1))
    if kv is not None:
        k2, v2 = (split_heads(part, heads) for part in kv.chunk(2, dim=-1))
        k, v = torch.cat([k2, k], dim=2), torch.cat([v2, v], dim=2)
    return attend(q, k, v, bias).transpose(1, 2).flatten(2)


class ImageAttention(nn.Module):
    """Self-attention over a feature map, which also attends to the condition's tokens (GLIDE, Nichol et al. 2021, 4.1).

    Args:
        width: channels of the feature map, [b, width, h, w].
        head_width: channels of a head.
        token_width: features of the condition's tokens; None: there are none.
        groups: of the group norm before it.
        eps: of the group norm before it.
    """

    def __init__(
        self, width: int, head_width: int, token_width: int | None, groups: int = 1, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.heads = max(1, width // head_width)
        check_heads(width, self.heads)
        self.norm = nn.GroupNorm(groups, width, eps=eps)
        self.qkv = nn.Linear(width, 3 * width)
        self.kv = nn.Linear(token_width, 2 * width) if token_width else None
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, x: Float[Tensor, "b c h w"], tokens: Tokens | None, mask: Mask | None
    ) -> Float[Tensor, "b c h w"]:
        flat = self.norm(x).flatten(2).transpose(1, 2)
        kv = bias = None
        if self.kv is not None and tokens is not None:
            kv, bias = self.kv(tokens), mask_bias(mask, flat.shape[1])
        return x + self.out(mix(self.qkv(flat), self.heads, bias, kv)).transpose(1, 2).view_as(x)

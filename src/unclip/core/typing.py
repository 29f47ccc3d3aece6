"""Shape vocabulary shared by every room: b batch, c channels, h/w pixels, n tokens, d embedding width,
width that of token features."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Images = Float[Tensor, "b c h w"]
"""Pictures or image-shaped states, in [-1, 1] when clean."""
Vectors = Float[Tensor, "b d"]
"""Embeddings, one a sample."""
Tokens = Float[Tensor, "b n width"]
"""Token features; their width need not be that of the embeddings beside them."""
Mask = Bool[Tensor, "b n"]
"""Which tokens there are; the others are padding."""
Ids = Int[Tensor, "b n"]
"""Numbers of tokens, as a tokenizer gives them."""
PerSample = Float[Tensor, " b"]
"""One number a sample, as a loss or a level."""
State = Float[Tensor, "b ..."]
"""Whatever a diffusion denoises: pictures [b,c,h,w] or embeddings [b,d]."""
LogSNR = Float[Tensor, "..."]
"""log(alpha^2 / sigma^2), natural logarithm."""

__all__ = [
    "Bool",
    "Float",
    "Ids",
    "Images",
    "Int",
    "LogSNR",
    "Mask",
    "PerSample",
    "State",
    "Tensor",
    "Tokens",
    "Vectors",
]

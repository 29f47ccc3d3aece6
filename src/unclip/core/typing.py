"""Shape vocabulary shared by every room: b batch, c channels, h/w pixels, n tokens, d embedding width,
width that of token features."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Images = Float[Tensor, "b c h w"]
"""Images, or states of their shape: [b, c, h, w], in [-1, 1] when clean."""
Vectors = Float[Tensor, "b d"]
"""Embeddings, one for each sample: [b, d]."""
Tokens = Float[Tensor, "b n width"]
"""Features of tokens, [b, n, width]; their width need not be that of the embeddings beside them."""
Mask = Bool[Tensor, "b n"]
"""Which of the tokens are real (True) and which are padding (False): [b, n]."""
Ids = Int[Tensor, "b n"]
"""Numbers of tokens, as a tokenizer gives them."""
PerSample = Float[Tensor, " b"]
"""One number for each sample, such as a loss or a level: [b]."""
State = Float[Tensor, "b ..."]
"""Whatever a diffusion denoises: images [b, c, h, w], embeddings [b, d], or any other shape [b, ...]."""
LogSNR = Float[Tensor, "..."]
"""A noise level: log(alpha^2 / sigma^2), the natural logarithm of the signal-to-noise ratio; one number, or [b]."""

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

"""DiT, the diffusion transformer with adaLN-zero (Peebles & Xie 2023, section 3.2), on pixels or latents.

    patches + positions -> blocks -> modulated norm -> linear -> patches

A block, with e the level (and vector) embedding and (t1, s1, g1, t2, s2, g2) = film(SiLU(e)):

    x = x + g1 attention((1 + s1) norm(x) + t1),    x = x + g2 mlp((1 + s2) norm(x) + t2)

film starts at zero, so each block starts as the identity. The condition's tokens are further keys and values of each
attention, as in GLIDE's U-Net, so they cost one projection a block and no attention of their own.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.config.ranges import Count, CountOrNone, Depth, Patch
from unclip.core.typing import Float, Images, PerSample, Tokens, Vectors
from unclip.nn.backbones.config import ImageNetworkConfig, network_input
from unclip.nn.blocks.attention import mask_bias, mix
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.embed import ConditionEmbedding, LevelEmbedding
from unclip.nn.blocks.init import start_at_zero
from unclip.nn.blocks.transformer import mlp

SINES = 128
"""Frequencies of the level embedding, as many as the paper's."""


@dataclass(frozen=True)
class DiTConfig(ImageNetworkConfig):
    """Settings of `DiT`.

    Args:
        channels: of the images or latents.
        patch: the side of a patch, px.
        width: features of a token.
        layers: transformer blocks.
        heads: attention heads; they must divide `width`.
        vector_width: of `cond.vector`; 0: none.
        token_width: of `cond.tokens`; 0: none.
        image_channels: of `cond.image`; 0: none.
        learned_variance: whether the network returns twice the channels.

    Raises:
        ValueError: where `width` is not divisible by 4 and by `heads`.
    """

    channels: Count = 3
    patch: Patch = 2
    width: Count = 384
    layers: Depth = 12
    heads: Depth = 6
    vector_width: CountOrNone = 0
    token_width: CountOrNone = 0
    image_channels: CountOrNone = 0
    learned_variance: bool = False

    def __post_init__(self) -> None:
        if self.width % 4 or self.width % self.heads:
            raise ValueError(f"width = {self.width}: must be divisible by 4 (positions) and by heads = {self.heads}")

    @property
    def multiple(self) -> int:
        """The number of pixels that the sides of an image must be divisible by."""
        return self.patch

    def build(self) -> "DiT":
        return DiT(self)


def dit_config(size: Literal["S", "B", "L", "XL"], patch: int = 2) -> DiTConfig:
    """The paper's table 1: S 33 M, B 130 M, L 458 M, XL 675 M parameters at patch 2 (latents, 1000 classes)."""
    layers, width, heads = {"S": (12, 384, 6), "B": (12, 768, 12), "L": (24, 1024, 16), "XL": (28, 1152, 16)}[size]
    return DiTConfig(patch=patch, width=width, layers=layers, heads=heads)


def positions(rows: int, columns: int, width: int, device: torch.device) -> Float[Tensor, "n width"]:
    """Sines and cosines of the column (first half of `width`), then of the row, at 10000^(-4 i / width).

    Places are counted in patches from the top left, so a patch keeps its code in images of any size.
    """
    quarter = width // 4
    frequencies = torch.exp(torch.arange(quarter, device=device) * (-math.log(10000) / quarter))

    def code(places: int) -> Tensor:
        angle = torch.arange(places, device=device)[:, None] * frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    column, row = code(columns).expand(rows, -1, -1), code(rows)[:, None].expand(-1, columns, -1)
    return torch.cat([column, row], dim=-1).flatten(0, 1)


def modulated(x: Tokens, shift: Vectors, scale: Vectors) -> Tokens:
    """(1 + scale) norm(x) + shift; the norm has no weights of its own."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]


class DiTBlock(nn.Module):
    """adaLN-zero around attention, to itself and to the condition's tokens, and a perceptron."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.film = nn.Linear(width, 6 * width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.kv = nn.Linear(config.token_width, 2 * width) if config.token_width else None
        self.mlp = mlp(width, nn.GELU("tanh"))

    def forward(
        self, x: Tokens, embedding: Vectors, tokens: Float[Tensor, "b m w"] | None, bias: Tensor | None
    ) -> Tokens:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.film(embedding).chunk(6, dim=-1)
        kv = None if self.kv is None or tokens is None else self.kv(tokens)
        y = mix(self.qkv(modulated(x, shift1, scale1)), self.heads, bias, kv)
        x = x + gate1[:, None] * self.out(y)
        return x + gate2[:, None] * self.mlp(modulated(x, shift2, scale2))


class DiT(nn.Module):
    """The diffusion transformer with adaLN-zero (Peebles & Xie 2023, section 3.2), on pixels or latents.

    It is called with x [b, c, h, w], log_snr [b] and a `Condition`, and returns the shape of x, or [b, 2 c, h, w] with
    a learned variance. The output starts at zero. Raises ValueError where a side is not divisible by `config.patch`.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch
        self.patches = nn.Conv2d(config.channels + config.image_channels, width, patch, patch)
        self.embedding = ConditionEmbedding(LevelEmbedding(width, SINES), config.vector_width, width)
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.layers))
        self.film = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, config.channels * (2 if config.learned_variance else 1) * patch**2)
        self._first_weights()

    def forward(self, x: Images, log_snr: PerSample, cond: Condition) -> Float[Tensor, "b c2 h w"]:
        check_size(x, self.config.channels, self.config.multiple)
        embedding = F.silu(self.embedding(log_snr, cond))
        grid = self.patches(network_input(x, cond, self.config.image_channels))
        rows, columns = grid.shape[2:]
        h = grid.flatten(2).transpose(1, 2) + positions(rows, columns, self.config.width, x.device)
        tokens = cond.tokens if self.config.token_width else None
        bias = None if tokens is None else mask_bias(cond.mask, h.shape[1])
        for block in self.blocks:
            h = block(h, embedding, tokens, bias)
        y = self.out(modulated(h, *self.film(embedding).chunk(2, dim=-1)))
        return F.pixel_shuffle(y.transpose(1, 2).unflatten(2, (rows, columns)), self.config.patch)

    def _first_weights(self) -> None:
        """The paper's: Xavier for all that is linear, 0.02 for the embeddings, zero for the modulations and the end."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.flatten(1))  # a view: a patch is one vector
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for weight in self.embedding.parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02)
        start_at_zero([self.film, self.out, *(m.film for m in self.modules() if isinstance(m, DiTBlock))])

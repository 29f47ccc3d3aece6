"""The two halves of an autoencoder of images (LDM, Rombach et al. 2022, section 3.1 and appendix G).

    image --unshuffle(patch), 3x3--> level 0 --down--> level 1 ... -> core --norm, SiLU, 3x3--> code
    code --3x3--> core -> ... level 1 --up--> level 0 --norm, SiLU, 3x3, shuffle(patch), SiLU, 3x3--> image

The paper's residual blocks without a level, and its core of block, attention, block. It works at full resolution, too;
here `patch` folds the finest pixels into channels, which is what minutes on a CPU can pay for (patch 1: as the paper).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Depth, Patch, Widths
from unclip.core.typing import Float, Images, Tensor
from unclip.nn.blocks.attention import ImageAttention
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.norm import Norm, norm_of
from unclip.nn.blocks.resblock import ResBlock, ResBlockConfig

HEAD = 32
"""Channels of one attention head."""
CERTAIN = -6.0
"""Log-variance of a new encoder's codes: a standard deviation of 0.05."""


@dataclass(frozen=True)
class CoderConfig(Config):
    """Settings of the encoder and decoder of an autoencoder for images (LDM, Rombach et al. 2022, section 3.1).

    Args:
        channels: of the images.
        latent: channels of the code.
        patch: the side of the squares that the first layer folds into channels, px.
        widths: channels of each level, fine to coarse; the side is halved from one to the next.
        blocks: residual blocks of each level.
        attention: whether the core has attention.
        fine: channels of the decoder's last convolution at full resolution.
        norm: "group", over the whole image, or "position": then, without attention, no part of an image or code depends
            on what is far from it, and any size is treated alike.

    Raises:
        ValueError: for widths that the group norms cannot divide.
    """

    channels: Count = 3
    latent: Count = 4
    patch: Patch = 2
    widths: Widths = (32, 64)
    blocks: Depth = 1
    attention: bool = True
    fine: Count = 16
    norm: Norm = "group"

    def __post_init__(self) -> None:
        if any((w > 16 and w % 16 and w % (w // 16)) for w in self.widths):
            raise ValueError(f"widths = {self.widths}: each a multiple of 16, for the group norms")

    @property
    def factor(self) -> int:
        """How many times smaller the code's side is than the image's; sides of images must be divisible by it."""
        return self.patch * 2 ** (len(self.widths) - 1)

    @property
    def block(self) -> ResBlockConfig:
        """Settings of the residual blocks."""
        return ResBlockConfig(norm=self.norm)


class Core(nn.Module):
    """Residual block, attention, residual block at the coarsest level."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        width = config.widths[-1]
        self.blocks = nn.ModuleList(ResBlock(width, 0, config=config.block) for _ in range(2))
        self.attention = ImageAttention(width, HEAD, None) if config.attention else None

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        x = self.blocks[0](x)
        return self.blocks[1](x if self.attention is None else self.attention(x, None, None))


class CodeEncoder(nn.Module):
    """images [b, channels, h, w] -> [b, 2 latent, h / factor, w / factor]: what a posterior is made of."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        self.config = config
        came = config.widths[0]
        self.stem = nn.Conv2d(config.channels * config.patch**2, came, 3, padding=1)
        parts: list[nn.Module] = []
        for i, width in enumerate(config.widths):
            parts += [ResBlock(came, 0, width, config.block, "down")] if i else []
            parts += [ResBlock(width, 0, config=config.block) for _ in range(config.blocks)]
            came = width
        self.parts = nn.ModuleList(parts)
        self.core = Core(config)
        self.norm, self.out = norm_of(config.norm, came), nn.Conv2d(came, 2 * config.latent, 3, padding=1)
        assert self.out.bias is not None
        with torch.no_grad():  # nearly certain from the first step on: no steps are lost under unit noise
            self.out.bias[config.latent :] = CERTAIN

    def forward(self, x: Images) -> Float[Tensor, "b c2 h2 w2"]:
        """Raises ValueError for images of other channels, or of a side that `factor` does not divide."""
        check_size(x, self.config.channels, self.config.factor)
        h = self.stem(F.pixel_unshuffle(x, self.config.patch))
        for part in self.parts:
            h = part(h)
        return self.out(F.silu(self.norm(self.core(h))))


class CodeDecoder(nn.Module):
    """codes [b, latent, h, w] -> images [b, channels, h factor, w factor]. `last`: its last layer."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        self.config = config
        came = config.widths[-1]
        self.stem = nn.Conv2d(config.latent, came, 3, padding=1)
        self.core = Core(config)
        parts: list[nn.Module] = []
        for i, width in enumerate(reversed(config.widths)):
            parts += [ResBlock(came, 0, width, config.block, "up")] if i else []
            parts += [ResBlock(width, 0, config=config.block) for _ in range(config.blocks)]
            came = width
        self.parts = nn.ModuleList(parts)
        self.norm, self.out = norm_of(config.norm, came), nn.Conv2d(came, config.fine * config.patch**2, 3, padding=1)
        self.last = nn.Conv2d(config.fine, config.channels, 3, padding=1)

    def forward(self, z: Float[Tensor, "b c2 h2 w2"]) -> Images:
        h = self.core(self.stem(z))
        for part in self.parts:
            h = part(h)
        h = F.pixel_shuffle(self.out(F.silu(self.norm(h))), self.config.patch)
        return self.last(F.silu(h)).float()

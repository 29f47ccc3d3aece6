"""The two halves of an autoencoder of images (LDM, Rombach et al. 2022, section 3.1 and appendix G).

    image --unshuffle(patch), 3x3--> level 0 --down--> level 1 ... -> core --norm, SiLU, 3x3--> code
    code --3x3--> core -> ... level 1 --up--> level 0 --norm, SiLU, 3x3, shuffle(patch), SiLU, 3x3--> image

The paper's residual blocks without a level, and its core of block, attention, block. It works at full resolution, too;
here `patch` folds the finest pixels into channels, which is what minutes on a CPU can pay for (patch 1: as the paper).
The rest of the paper's form is a setting each: convolutions that resample, one head, norms of 32 groups, a single last
convolution, and 1x1 convolutions on both sides of the code: `stable_diffusion_coder()`.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, CountOrNone, Depth, Patch, Range, Widths
from unclip.core.typing import Float, Images, Tensor
from unclip.nn.blocks.attention import ImageAttention
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.norm import Norm, norm_of
from unclip.nn.blocks.resblock import ConvResampler, Resample, ResBlock, ResBlockConfig

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
        fine: channels of the decoder's last convolution at full resolution; 0: without it.
        norm: "group", over the whole image, or "position": then, without attention, no part of an image or code depends
            on what is far from it, and any size is treated alike.
        groups: of the group norms; 0: one for 16 channels, and one for all before the attention.
        eps: of the norms.
        head_width: channels of an attention head; 0: a single head.
        residual_resample: whether residual blocks change the size; otherwise 3x3 convolutions do, as in the paper, and
            the decoder's levels have one block more.
        mixes: whether a 1x1 convolution follows the encoder and another leads into the decoder, as in the paper's code.

    Raises:
        ValueError: for widths that groups or heads cannot divide.
    """

    channels: Count = 3
    latent: Count = 4
    patch: Patch = 2
    widths: Widths = (32, 64)
    blocks: Depth = 1
    attention: bool = True
    fine: CountOrNone = 16
    norm: Norm = "group"
    groups: CountOrNone = 0
    eps: Annotated[float, Range(0, 1, above=True)] = 1e-5
    head_width: CountOrNone = 32
    residual_resample: bool = True
    mixes: bool = False

    def __post_init__(self) -> None:
        if not self.groups and any((w > 16 and w % 16 and w % (w // 16)) for w in self.widths):
            raise ValueError(f"widths = {self.widths}: each a multiple of 16, for the group norms")
        if self.groups and any(w % self.groups for w in self.widths):
            raise ValueError(f"groups = {self.groups}: must divide all widths {self.widths}")

    @property
    def factor(self) -> int:
        """How many times smaller the code's side is than the image's; sides of images must be divisible by it."""
        return self.patch * 2 ** (len(self.widths) - 1)

    @property
    def block(self) -> ResBlockConfig:
        """Settings of the residual blocks."""
        return ResBlockConfig(self.groups, self.eps, norm=self.norm)

    def norm_of(self, width: int) -> nn.Module:
        """The norm before a last convolution."""
        return norm_of(self.norm, width, self.groups, self.eps)


def stable_diffusion_coder() -> CoderConfig:
    """Stable Diffusion's autoencoder (Rombach et al. 2022, appendix E; `kl-f8`): 83.7 M parameters, factor 8."""
    return CoderConfig(
        patch=1, widths=(128, 256, 512, 512), blocks=2, fine=0, groups=32, eps=1e-6, head_width=0,
        residual_resample=False, mixes=True,
    )  # fmt: skip


def levels(config: CoderConfig, widths: tuple[int, ...], how: Resample) -> list[nn.Module]:
    """The blocks of all levels in the order of `widths`, with what changes the size before each but the first."""
    plain, block = not config.residual_resample, config.block
    parts: list[nn.Module] = []
    came = widths[0]
    for i, width in enumerate(widths):
        if i:
            parts.append(ConvResampler(came, how) if plain else ResBlock(came, 0, width, block, how))
        more = plain and how == "up"
        for k in range(config.blocks + more):
            parts.append(ResBlock(came if plain and k == 0 else width, 0, width, block))
        came = width
    return parts


class Core(nn.Module):
    """Residual block, attention, residual block at the coarsest level."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        width = config.widths[-1]
        self.blocks = nn.ModuleList(ResBlock(width, 0, config=config.block) for _ in range(2))
        head, groups = config.head_width or width, config.groups or 1
        self.attention = ImageAttention(width, head, None, groups, config.eps) if config.attention else None

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
        self.parts = nn.ModuleList(levels(config, config.widths, "down"))
        self.core = Core(config)
        came = config.widths[-1]
        self.norm, self.out = config.norm_of(came), nn.Conv2d(came, 2 * config.latent, 3, padding=1)
        self.mix = mixing(2 * config.latent) if config.mixes else nn.Identity()
        assert self.out.bias is not None
        with torch.no_grad():  # nearly certain from the first step on: no steps are lost under unit noise
            self.out.bias[config.latent :] = CERTAIN

    def forward(self, x: Images) -> Float[Tensor, "b c2 h2 w2"]:
        """Raises ValueError for images of other channels, or of a side that `factor` does not divide."""
        check_size(x, self.config.channels, self.config.factor)
        h = self.stem(F.pixel_unshuffle(x, self.config.patch))
        for part in self.parts:
            h = part(h)
        return self.mix(self.out(F.silu(self.norm(self.core(h)))))


def mixing(channels: int) -> nn.Conv2d:
    """A 1x1 convolution that leaves everything as it is at first."""
    made = nn.Conv2d(channels, channels, 1)
    assert made.bias is not None
    nn.init.dirac_(made.weight)
    nn.init.zeros_(made.bias)
    return made


class CodeDecoder(nn.Module):
    """codes [b, latent, h, w] -> images [b, channels, h factor, w factor]. `last`: its last layer."""

    def __init__(self, config: CoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, folded = config.widths[::-1], config.patch**2
        self.mix = mixing(config.latent) if config.mixes else nn.Identity()
        self.stem = nn.Conv2d(config.latent, widths[0], 3, padding=1)
        self.core = Core(config)
        self.parts = nn.ModuleList(levels(config, widths, "up"))
        self.norm, came = config.norm_of(widths[-1]), widths[-1]
        self.out = nn.Conv2d(came, config.fine * folded, 3, padding=1) if config.fine else None
        self.last = nn.Conv2d(config.fine or came, config.channels * (1 if config.fine else folded), 3, padding=1)

    def forward(self, z: Float[Tensor, "b c2 h2 w2"]) -> Images:
        h = self.core(self.stem(self.mix(z)))
        for part in self.parts:
            h = part(h)
        h = F.silu(self.norm(h))
        if self.out is None:
            return F.pixel_shuffle(self.last(h), self.config.patch).float()
        return self.last(F.silu(F.pixel_shuffle(self.out(h), self.config.patch))).float()

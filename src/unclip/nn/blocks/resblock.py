"""The residual block of diffusion U-Nets: two 3x3 convolutions, the second modulated by the level embedding.

With e the embedding after its SiLU and (s, t) = film(e):

    scale-shift (ADM, Dhariwal & Nichol 2021, Eq. 3):  y = (1 + s) norm(h) + t
    added (DDPM, Ho et al. 2020, appendix B):          y = norm(h + film(e))
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import CountOrNone, Range
from unclip.core.noise import Noise
from unclip.core.typing import Float, Vectors
from unclip.nn.blocks.norm import Norm, norm_of

Resample = Literal["keep", "up", "down"]


@dataclass(frozen=True)
class ResBlockConfig(Config):
    """Settings of `ResBlock`.

    Args:
        groups: of the group norms; 0: one for 16 channels.
        eps: of the norms.
        scale_shift: whether the embedding scales and shifts, as in ADM; otherwise it is added, as in DDPM.
        dropout: the fraction of features that training sets to zero before the second convolution.
        norm: "group", over the whole image, or "position", over the channels of each position.
    """

    groups: CountOrNone = 0
    eps: Annotated[float, Range(0, 1, above=True)] = 1e-5
    scale_shift: bool = True
    dropout: Annotated[float, Range(0, 1, below=True)] = 0.0
    norm: Norm = "group"


def resample(x: Float[Tensor, "b c h w"], how: Resample) -> Float[Tensor, "b c h2 w2"]:
    """Twice the size (nearest neighbour), half the size (mean of 2x2), or as it is; ADM's, without weights."""
    if how == "up":
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    return F.avg_pool2d(x, 2) if how == "down" else x


def resampling_conv(width: int, how: Resample, evenly: bool = False) -> nn.Conv2d:
    """DDPM's 3x3 convolution that halves, or follows a doubling (Ho et al. 2020, code); `resampled` calls it.

    evenly: whether one that halves sees a row of zeros on every side, as diffusers' do by default; otherwise at the
    right and the bottom alone.
    """
    down = how == "down"
    return nn.Conv2d(width, width, 3, stride=2 if down else 1, padding=0 if down and not evenly else 1)


def resampled(x: Float[Tensor, "b c h w"], conv: nn.Conv2d) -> Float[Tensor, "b c h2 w2"]:
    """Half or twice the size (nearest neighbour) by a convolution of `resampling_conv`."""
    if conv.stride == (1, 1):
        return conv(resample(x, "up"))
    return conv(F.pad(x, (0, 1, 0, 1)) if conv.padding == (0, 0) else x)


class ConvResampler(nn.Module):
    """Half or twice the size by DDPM's 3x3 convolution, as a layer of an autoencoder."""

    def __init__(self, width: int, how: Resample) -> None:
        super().__init__()
        self.conv = resampling_conv(width, how)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        return resampled(x, self.conv)


class ResBlock(nn.Module):
    """The residual block of diffusion U-Nets: two 3x3 convolutions, the second modulated by the embedding of the level.

    norm, SiLU, (resample), conv, modulated norm, SiLU, dropout, conv (starts at zero), + the (resampled) input.

    Args:
        width: channels that come in.
        embedding: width of the embedding; 0: no level, as in an autoencoder.
        out: channels that go out; None: as many. Where they differ, a 1x1 convolution fits the input.
        config: norms, dropout, and how the embedding enters.
        how: "keep" the size, "up" to twice the size, or "down" to half.
    """

    def __init__(
        self,
        width: int,
        embedding: int,
        out: int | None = None,
        config: ResBlockConfig = ResBlockConfig(),
        how: Resample = "keep",
    ) -> None:
        super().__init__()
        self.config = config
        self.how: Resample = how
        out = out or width
        self.norm1, self.norm2 = (norm_of(config.norm, w, config.groups, config.eps) for w in (width, out))
        self.conv1, self.conv2 = (nn.Conv2d(w, out, 3, padding=1) for w in (width, out))
        self.film = nn.Linear(embedding, (2 if config.scale_shift else 1) * out) if embedding else None
        self.skip = nn.Identity() if out == width else nn.Conv2d(width, out, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(
        self, x: Float[Tensor, "b c h w"], embedding: Vectors | None = None, noise: Noise | None = None
    ) -> Float[Tensor, "b c2 h2 w2"]:
        """From x [b, width, h, w] to [b, out, h', w'].

        Args:
            x: the feature map.
            embedding: of the level, after its SiLU, [b, embedding].
            noise: where dropout is drawn from; None: no dropout.
        """
        y = self.conv1(resample(F.silu(self.norm1(x)), self.how))
        y = F.silu(self._modulated(y, embedding))
        return self.skip(resample(x, self.how)) + self.conv2(self._dropped(y, noise))

    def _modulated(self, y: Tensor, embedding: Tensor | None) -> Tensor:
        if self.film is None:
            return self.norm2(y)
        film = self.film(embedding)[:, :, None, None]
        if not self.config.scale_shift:
            return self.norm2(y + film)
        scale, shift = film.chunk(2, dim=1)
        return self.norm2(y) * (1 + scale) + shift

    def _dropped(self, y: Tensor, noise: Noise | None) -> Tensor:
        share = self.config.dropout
        if noise is None or share == 0:
            return y
        return y * (noise.uniform(y.shape) >= share) / (1 - share)

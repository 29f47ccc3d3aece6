"""The invertible layers of Glow (Kingma & Dhariwal 2018, table 1): actnorm, a mix of the channels, an affine coupling.

Each takes (x, classes) to (y, log |det dy/dx| of each sample), and back again by `inverse`. Everything keeps the dtype
of x, so that in float64 the way back is exact to rounding.

    actnorm     y = exp(s) (x + b), a scale and a shift for each channel; the first batch gives them (`fit`)
    mix         y = W x at every position, W = P L (U + diag(sign exp(s))), so that log |det W| = sum s
    coupling    y1 = x1,  y2 = exp(s(x1, c)) (x2 + t(x1, c))          (RealNVP, Dinh et al. 2017, Eq. 7-8)
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.typing import Float, Images, PerSample, Tensor, Vectors
from unclip.nn.blocks.init import start_at_zero
from unclip.nn.blocks.norm import norm_of
from unclip.nn.blocks.resblock import ResBlock

LARGEST = 2.0
"""|log scale| of a coupling at the most: a step cannot blow up, several together reach any scale."""
SMALLEST_STD = 1e-6


class Invertible(nn.Module, ABC):
    """Base of the layers."""

    @abstractmethod
    def forward(self, x: Images, classes: Vectors) -> tuple[Images, PerSample]:
        """y and log |det dy/dx|, [b]."""

    @abstractmethod
    def inverse(self, y: Images, classes: Vectors) -> Images:
        """The x of y."""

    def fit(self, x: Images) -> None:
        """Takes first weights from what arrives here of a first batch, where the layer has such."""


class ActNorm(Invertible):
    """A scale and a shift for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Images, classes: Vectors) -> tuple[Images, PerSample]:
        log_det = self.log_scale.sum() * (x.shape[2] * x.shape[3])
        return torch.exp(self.log_scale) * (x + self.bias), log_det.expand(len(x))

    def inverse(self, y: Images, classes: Vectors) -> Images:
        return y * torch.exp(-self.log_scale) - self.bias

    @torch.no_grad()
    def fit(self, x: Images) -> None:
        """Mean 0 and variance 1 in each channel of this batch."""
        self.bias.copy_(-x.mean((0, 2, 3))[:, None, None])
        self.log_scale.copy_(-x.std((0, 2, 3)).clamp(min=SMALLEST_STD).log()[:, None, None])


class Mix(Invertible):
    """An invertible 1x1 convolution (Glow, section 3.2), kept as the factors of its LU decomposition."""

    permutation: Float[Tensor, "c c"]
    sign: Float[Tensor, " c"]

    def __init__(self, channels: int) -> None:
        super().__init__()
        start = nn.init.orthogonal_(torch.empty(channels, channels))
        permutation, lower, upper = torch.linalg.lu(start)
        diagonal = upper.diagonal()
        self.register_buffer("permutation", permutation.contiguous())
        self.register_buffer("sign", diagonal.sign().contiguous())
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(diagonal.abs().log())

    def _factors(self) -> tuple[Tensor, Tensor]:
        eye = torch.eye(len(self.sign), dtype=self.lower.dtype, device=self.lower.device)
        return self.lower.tril(-1) + eye, self.upper.triu(1) + torch.diag(self.sign * torch.exp(self.log_scale))

    def forward(self, x: Images, classes: Vectors) -> tuple[Images, PerSample]:
        lower, upper = self._factors()
        weight = self.permutation @ lower @ upper
        log_det = self.log_scale.sum() * (x.shape[2] * x.shape[3])
        return F.conv2d(x, weight[:, :, None, None]), log_det.expand(len(x))

    def inverse(self, y: Images, classes: Vectors) -> Images:
        lower, upper = self._factors()
        flat = self.permutation.t() @ y.transpose(0, 1).flatten(1)
        flat = torch.linalg.solve_triangular(lower, flat, upper=False, unitriangular=True)
        flat = torch.linalg.solve_triangular(upper, flat, upper=True)
        return flat.unflatten(1, (len(y), *y.shape[2:])).transpose(0, 1)


class ScaleShift(nn.Module):
    """From features [b, c, h, w] and one-hot vectors [b, k] to a log scale and a shift, [b, out, h, w] each; first 0.

    3x3 convolution, residual blocks that the class scales and shifts, norm, SiLU, 3x3 convolution.
    """

    def __init__(self, channels: int, out: int, width: int, blocks: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(width, classes) for _ in range(blocks))
        self.norm, self.out = norm_of("group", width), nn.Conv2d(width, 2 * out, 3, padding=1)
        start_at_zero([self.out])

    def forward(
        self, x: Images, classes: Float[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b c2 h w"], Float[Tensor, "b c2 h w"]]:
        h = self.stem(x)
        for block in self.blocks:
            h = block(h, classes.to(h.dtype))
        log_scale, shift = self.out(F.silu(self.norm(h))).chunk(2, dim=1)
        return LARGEST * torch.tanh(log_scale / LARGEST), shift


class Coupling(Invertible):
    """Half of the channels is scaled and shifted by a function of the other half."""

    def __init__(self, channels: int, width: int, blocks: int, classes: int) -> None:
        super().__init__()
        self.kept = channels // 2
        self.net = ScaleShift(self.kept, channels - self.kept, width, blocks, classes)

    def forward(self, x: Images, classes: Vectors) -> tuple[Images, PerSample]:
        kept, changed = x[:, : self.kept], x[:, self.kept :]
        log_scale, shift = self.net(kept, classes)
        return torch.cat([kept, torch.exp(log_scale) * (changed + shift)], dim=1), log_scale.flatten(1).sum(1)

    def inverse(self, y: Images, classes: Vectors) -> Images:
        kept, changed = y[:, : self.kept], y[:, self.kept :]
        log_scale, shift = self.net(kept, classes)
        return torch.cat([kept, changed * torch.exp(-log_scale) - shift], dim=1)

"""Codes in units of what they change in the image."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images

STEP = 0.1
"""Of a code, as a fraction of its standard deviation, by which what it changes is measured."""
MEASURED = 64
"""Images whose codes are changed for that."""

Codes = Float[Tensor, "b c2 h2 w2"]
Matrix = Float[Tensor, "_ _"]


class WeighedCodes(nn.Module):
    """Mixes the channels of codes so that equal errors are equally visible; zero mean, unit variance on average.

    With z a code, D the decoder and n white noise over the cells, the same for all channels,

        M[i, j] = mean((D(z + s n e_i) - D(z)) (D(z + s n e_j) - D(z))) / s^2,      x = M^(1/2) (z - mean) / r

    M is the metric of images, pulled back to codes and averaged. KL makes all channels of a code equally wide, those
    that carry colour and those that carry the last grain; a loss in x weighs an error in each by what it does to
    pixels, and noise hides grain before colour, as it does in images.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("mix", torch.eye(width))
        self.register_buffer("unmix", torch.eye(width))
        self.mean: Tensor
        self.mix: Tensor
        self.unmix: Tensor

    @torch.no_grad()
    def fit(self, codes: Codes, decode: Callable[[Codes], Images]) -> None:
        """Measures mean, metric and variance on the codes of training images."""
        channels = codes.movedim(1, -1).flatten(0, 2)
        every = torch.linspace(0, len(codes) - 1, min(MEASURED, len(codes))).long()
        root = _root(_metric(codes[every], decode, STEP * channels.std().item()))
        spread = (channels - channels.mean(0)) @ root
        scale = spread.square().mean().sqrt()
        self.mean.copy_(channels.mean(0))
        self.mix.copy_(root / scale)
        self.unmix.copy_(torch.linalg.inv(root.double()) * scale)

    def forward(self, codes: Codes) -> Codes:
        return torch.einsum("ij,bjhw->bihw", self.mix, codes - self.mean.view(1, -1, 1, 1))

    def inverse(self, x: Codes) -> Codes:
        """The codes that are seen as x."""
        return torch.einsum("ij,bjhw->bihw", self.unmix, x) + self.mean.view(1, -1, 1, 1)


def _metric(codes: Codes, decode: Callable[[Codes], Images], step: float) -> Matrix:
    """M, [c, c]."""
    base, noise = decode(codes), Noise.shared("metric", device=codes.device).normal((len(codes), 1, *codes.shape[2:]))
    changed = []
    for channel in torch.eye(codes.shape[1], device=codes.device):
        changed.append((decode(codes + step * noise * channel.view(1, -1, 1, 1)) - base).flatten() / step)
    every = torch.stack(changed).double()
    return every @ every.T / every.shape[1]


def _root(metric: Matrix) -> Matrix:
    """M^(1/2); a direction that changes nothing keeps a thousandth of the most visible one's weight."""
    values, vectors = torch.linalg.eigh(metric)
    return (vectors * values.clamp(min=1e-6 * values.max()).sqrt() @ vectors.T).float()

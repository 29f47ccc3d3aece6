"""Power by spatial frequency, generated over real: whether there is grain, and whether images are soft."""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from unclip.core.typing import Float, Images, Tensor
from unclip.core.wide import wide
from unclip.evaluation.sets.estimate import Estimate, Z

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""
Component = Literal["luminance", "colour"]


@dataclass(frozen=True)
class Spectrum:
    """Generated over real power: 1 is equal. edges: the upper frequency of each octave, in cycles a pixel.

    ratios: by octave, low to high. grain: of the top octave (1/4 to 1/2 cycle a pixel and the corners), where noise
    shows and blur, too. blur: of the two octaves below it (1/16 to 1/4), which white noise hardly touches beside the
    power that images have there; below 1 images are softer than the real ones.
    """

    edges: tuple[float, ...]
    ratios: tuple[Estimate, ...]
    grain: Estimate
    blur: Estimate


def spectrum(generated: Images, real: Float[Tensor, "m _ _ _"], component: Component = "luminance") -> Spectrum:
    """Radially summed power in octaves, mean over the generated images / mean over the real ones.

        P(f) = |FFT(window (x - mean x))|^2 / (h w sum window^2),   summed over the frequencies |f| of an octave

    window: Hann's in both directions, without which the jump from one edge of an image to the other would lay power
    over all frequencies. The error is that of log(ratio) by the delta method,
    var(P)/n/mean(P)^2 of both sets, and the interval is exp(log ratio -+ 1.96 errors). component: "luminance", or
    "colour": the sum over R - Y and B - Y. Where real images have no power in an octave the ratio is inf or nan.
    Raises ValueError for fewer than 2 images, other sizes, images below 16 pixels, or colour asked of grey images.
    """
    for name, x in (("generated", generated), ("real", real)):
        if len(x) < 2:
            raise ValueError(f"{len(x)} {name} images: a spectrum needs at least 2")
    if generated.shape[1:] != real.shape[1:]:
        raise ValueError(f"generated images are {tuple(generated.shape[1:])}, real ones {tuple(real.shape[1:])}")
    edges = octaves(*real.shape[-2:])
    made, true = (_in_octaves(x, edges, component) for x in (generated, real))
    ratios = tuple(_ratio(made[:, i], true[:, i]) for i in range(len(edges)))
    return Spectrum(edges, ratios, ratios[-1], _ratio(made[:, -3:-1].sum(1), true[:, -3:-1].sum(1)))


def octaves(height: int, width: int) -> tuple[float, ...]:
    """Upper edges in cycles a pixel, low to high; an octave goes from half its edge, which is not in it, to its edge.

    The first holds all that is below it; the last ends at the corners, 1/sqrt(2). Raises ValueError below 16 pixels.
    """
    side = min(height, width)
    if side < 16:
        raise ValueError(f"images of {height} x {width}: the octaves of a spectrum need at least 16 pixels")
    return (*(2.0**-i for i in range(int(math.log2(side)), 1, -1)), math.sqrt(0.5))


def power(x: Images) -> Float[Tensor, "b c h w"]:
    """The windowed power at each frequency, as `torch.fft.fft2` lays them out; its sum is the windowed mean square
    (Parseval)."""
    x = wide(x)
    window = _hann(x.shape[-2])[:, None] * _hann(x.shape[-1])
    seen = torch.fft.fft2((x - x.mean((-2, -1), keepdim=True)) * window.to(x.device))
    return seen.abs().square() / (x.shape[-1] * x.shape[-2] * window.square().sum())


def _hann(n: int) -> Float[Tensor, " n"]:
    return torch.hann_window(n + 2, periodic=False, dtype=torch.float64)[1:-1]


def _in_octaves(x: Images, edges: tuple[float, ...], component: Component) -> Float[Tensor, "b octaves"]:
    height, width = x.shape[-2:]
    across, down = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (width, height))
    f = (down[:, None].square() + across.square()).sqrt() - 1e-9  # a frequency on an edge lies below it
    found = power(_channels(x, component)).sum(1)
    lower = (-1.0, *edges[:-1])
    masks = torch.stack([(f > low) & (f <= high) for low, high in zip(lower, edges, strict=True)])
    return torch.einsum("bhw,ohw->bo", found, masks.double().to(found.device))


def _channels(x: Images, component: Component) -> Float[Tensor, "b k h w"]:
    if x.shape[1] != len(LUMINANCE):
        if component == "colour":
            raise ValueError(f"images of {x.shape[1]} channel: colour needs three")
        return x
    x = wide(x)
    weights = torch.tensor(LUMINANCE, dtype=x.dtype, device=x.device)
    y = torch.einsum("bchw,c->bhw", x, weights)[:, None]
    return y if component == "luminance" else x[:, ::2] - y


def _ratio(made: Float[Tensor, " n"], true: Float[Tensor, " m"]) -> Estimate:
    value = (made.mean() / true.mean()).item()
    error = sum((p.var() / len(p) / p.mean().square()).item() for p in (made, true)) ** 0.5
    return Estimate(value, value * error, value * math.exp(-Z * error), value * math.exp(Z * error))

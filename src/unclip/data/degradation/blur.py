"""Gaussian blur, the corruption of the first upsampler (unCLIP, section 2.1; Saharia et al. 2021).

Weights exp(-x^T S^-1 x / 2) over a k x k window, summing to 1; S = R diag(a^2, b^2) R^T with R a turn by an angle.
The image's border is repeated outwards.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F

from unclip.core.config.ranges import Fraction, Positive, Range
from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.data.degradation.base import Degradation, share_of

LEAST = 0.05
"""px: a Gaussian this narrow is one pixel, exactly so in float32."""


@dataclass(frozen=True)
class GaussianBlur(Degradation):
    """A Gaussian blur, the degradation of unCLIP's first upsampler (Ramesh et al. 2022, section 2.1).

    Half of the images stay sharp by default, so that the upsampler knows those, too.

    Args:
        kernel: the side of the window, px.
        sigma: the standard deviation at strength 1, px.
        share: the fraction of images that are blurred.
    """

    kernel: Annotated[int, Range(1, 99)] = 3
    sigma: Positive = 0.6
    share: Fraction = 0.5

    def __post_init__(self) -> None:
        check_kernel(self.kernel)

    def draw(self, n: int, noise: Noise) -> PerSample:
        return share_of(torch.ones(n, device=noise.device), self.share, noise)

    def apply(self, images: Images, strength: PerSample, noise: Noise) -> Images:
        sigma = strength * self.sigma
        return filtered(images, gaussian(self.kernel, sigma, sigma, torch.zeros_like(sigma)))


def check_kernel(kernel: int) -> None:
    """Raises ValueError for a window without a middle."""
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel = {kernel} px: must be odd, so that the window has a middle")


def gaussian(kernel: int, a: PerSample, b: PerSample, angle: PerSample) -> Float[Tensor, "b k k"]:
    """A window a sample. a, b: standard deviations along its axes, px (0: none); angle: of the first one, radians."""
    place = torch.arange(kernel, device=a.device) - kernel // 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    a, b, angle = (v.view(-1, 1, 1) for v in (a.clamp(min=LEAST), b.clamp(min=LEAST), angle))
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    weights = torch.exp(-((along / a).square() + (across / b).square()) / 2)
    return weights / weights.sum((1, 2), keepdim=True)


def filtered(images: Images, kernels: Float[Tensor, "b k k"]) -> Images:
    """Each image convolved with its own window."""
    n, c, h, w = images.shape
    k = kernels.shape[-1]
    padded = F.pad(images, [k // 2] * 4, mode="replicate").view(1, n * c, h + k - 1, w + k - 1)
    weights = kernels[:, None, None].expand(n, c, 1, k, k).reshape(n * c, 1, k, k)
    return F.conv2d(padded, weights, groups=n * c).view_as(images)

"""A diverse degradation in the manner of BSRGAN (Zhang et al. 2021), the corruption of the second upsampler.

Five things happen to an image in a random order: an isotropic and an anisotropic Gaussian blur, a resize (made smaller
and brought back, each by an interpolation drawn from three), Gaussian noise (of one colour or of all), JPEG. How much
of each is drawn for each image, up to the settings below times the strength, which is drawn uniformly.

Theirs also shrinks by the upsampler's factor and adds camera noise, and goes to a noise of 25 and a quality of 30. The
settings here are milder, because generated images are no bad photographs, though not as mild as latent diffusion's
light variant (noise 2, quality 80; Rombach et al. 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F

from unclip.core.config.ranges import Fraction, Range, Weight
from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.data.degradation.base import Degradation, share_of
from unclip.data.degradation.blur import check_kernel, filtered, gaussian
from unclip.data.degradation.jpeg import compressed

MODES = ("area", "bilinear", "bicubic")
DRAWS = 16
"""Uniform numbers that decide an image's fate: five for the order, the others one after the other."""


@dataclass(frozen=True)
class BSR(Degradation):
    """Blurs, a resize, noise and JPEG in a random order, in the manner of BSRGAN (Zhang et al. 2021).

    It is the degradation of unCLIP's second upsampler. The numbers are the most that may happen at strength 1.

    Args:
        kernel: the side of the window of the blurs, px.
        sigma: the standard deviation of the blurs, px.
        smallest: the fraction of the side that the resize leaves.
        noise: the standard deviation of the noise, on 0 ... 255.
        quality: of JPEG, 1 to 100.
        share: the fraction of images that are degraded.
    """

    kernel: Annotated[int, Range(1, 99)] = 7
    sigma: Weight = 1.2
    smallest: Annotated[float, Range(0, 1, above=True)] = 0.5
    noise: Annotated[float, Range(0, 255)] = 10.0
    quality: Annotated[int, Range(1, 100)] = 40
    share: Fraction = 0.9

    def __post_init__(self) -> None:
        check_kernel(self.kernel)

    def draw(self, n: int, noise: Noise) -> PerSample:
        return share_of(noise.uniform((n,)), self.share, noise)

    def apply(self, images: Images, strength: PerSample, noise: Noise) -> Images:
        fates, grain = noise.uniform((len(images), DRAWS)), noise.normal(images.shape)
        done = [
            self._one(images[i : i + 1], float(strength[i]), fates[i], grain[i : i + 1]) if strength[i] > 0
            else images[i : i + 1]
            for i in range(len(images))
        ]  # fmt: skip
        return torch.cat(done)

    def _one(self, image: Images, strength: float, fate: Float[Tensor, " draws"], grain: Images) -> Images:
        u = fate[5:].tolist()
        sigma = [strength * self.sigma * v for v in u[:3]]

        def blur(a: float, b: float, turn: float) -> Callable[[Images], Images]:
            window = gaussian(self.kernel, *(fate.new_tensor([v]) for v in (a, b, turn * torch.pi)))
            return lambda x: filtered(x, window)

        happenings = (
            blur(sigma[0], sigma[0], 0.0),
            blur(sigma[1], sigma[2], u[3]),
            lambda x: resized(
                x, 1 - strength * (1 - self.smallest) * u[4], pick_interpolation(u[5]), pick_interpolation(u[6])
            ),
            lambda x: x + strength * self.noise / 127.5 * u[7] * (grain if u[8] < 0.5 else grain[:, :1]),
            lambda x: compressed(x, fate.new_tensor([100 - strength * (100 - self.quality) * u[9]])),
        )
        for i in fate[:5].argsort().tolist():
            image = happenings[i](image)
        return image.clamp(-1, 1)


def pick_interpolation(u: float) -> str:
    """One of the interpolations, by a number in [0, 1)."""
    return MODES[int(u * len(MODES))]


def resized(image: Images, share: float, down: str, up: str) -> Images:
    """Made smaller and brought back to its size."""
    size = [max(1, round(share * side)) for side in image.shape[-2:]]
    if size == list(image.shape[-2:]):
        return image
    return F.interpolate(F.interpolate(image, size, mode=down), image.shape[-2:], mode=up)

"""What every degradation is: an image made worse, by a strength in [0, 1] that the upsampler is told."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.typing import Images, PerSample


@dataclass(frozen=True)
class Degraded:
    """Images and how strongly each was degraded; strength 0: not at all."""

    images: Images
    strength: PerSample


class Degradation(Config, ABC):
    """The base class of degradations: low-resolution images made worse, so that an upsampler learns to bear it.

    With noise per sample, what happens to an image does not depend on its batch.
    """

    def __call__(self, images: Images, noise: Noise) -> Degraded:
        """Degrades images, [b, c, h, w] in [-1, 1], each by a random strength; returns both."""
        strength = self.draw(len(images), noise)
        return Degraded(self.apply(images, strength, noise), strength)

    @abstractmethod
    def draw(self, n: int, noise: Noise) -> PerSample:
        """Draws n strengths in [0, 1], [n], as training sees them."""

    @abstractmethod
    def apply(self, images: Images, strength: PerSample, noise: Noise) -> Images:
        """Degrades images, [b, c, h, w] in [-1, 1], by the strengths, [b]; at 0 they stay as they are."""


@dataclass(frozen=True)
class Clean(Degradation):
    """No degradation: the images stay as they are."""

    def draw(self, n: int, noise: Noise) -> PerSample:
        return torch.zeros(n, device=noise.device)

    def apply(self, images: Images, strength: PerSample, noise: Noise) -> Images:
        return images


def share_of(strength: PerSample, share: float, noise: Noise) -> PerSample:
    """The strengths of a share of the samples; 0 for the others."""
    return strength * (noise.uniform((len(strength),)) < share)

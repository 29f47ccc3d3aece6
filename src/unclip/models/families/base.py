"""What the models of one pass share: z ~ N(0, I) and perhaps a class become an image, x = G(z, c)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Side, Weight
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.core.typing import Float, Images, PerSample, Tensor, Vectors
from unclip.models.classes import NO_CLASS, Labels, check_images, check_names, one_hot


@dataclass(frozen=True)
class OnePassOptions(Config):
    """What may be chosen of every model of one pass. temperature: of the noise that it draws from, z ~ N(0, t^2 I)."""

    temperature: Weight = 1.0


@dataclass(frozen=True, kw_only=True)
class OnePassConfig(OnePassOptions):
    """size: side of the images, px; classes: their names (none: unconditional)."""

    size: Side
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.classes)


C = TypeVar("C", bound=OnePassConfig)


class OnePass(nn.Module, ABC, Generic[C]):
    """Base of the models that draw an image by one pass of their network."""

    per_sample = True
    config: C

    @property
    @abstractmethod
    def channels(self) -> int:
        """Of an image."""

    @property
    @abstractmethod
    def latent(self) -> int:
        """Numbers of z."""

    @abstractmethod
    def decode(self, z: Vectors, labels: Labels) -> Images:
        """The images of z [b, latent] and the numbers of classes [b]; in [-1, 1] or near it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.channels, self.config.size, self.config.size

    def check(self, images: Images) -> None:
        """Raises ValueError, with the fix, for images of another size or channel count than the model's."""
        check_images(images, self.shape)

    def classes(self, labels: Labels) -> Float[Tensor, "b k"]:
        """One-hot vectors, [b, number of classes]; zeros for `NO_CLASS`."""
        return one_hot(labels, len(self.config.classes))

    def seen(self, batch: Batch) -> tuple[Images, Labels]:
        """Images and classes of a batch. Raises ValueError for images of another shape."""
        assert batch.images is not None
        self.check(batch.images)
        none = torch.full((len(batch.images),), NO_CLASS, dtype=torch.long, device=batch.images.device)
        return batch.images, none if batch.labels is None else batch.labels

    def noise(self, n: int, noise: Noise, temperature: float | None = None) -> Vectors:
        """z ~ N(0, t^2 I), [n, latent]. temperature: t; None: the model's own."""
        t = self.config.temperature if temperature is None else temperature
        return t * noise.normal((n, self.latent))

    def draw(self, labels: Labels, noise: Noise, temperature: float | None = None) -> Images:
        """An image a label, from `noise`."""
        return self.decode(self.noise(len(labels), noise, temperature), labels)


class Encodes(ABC):
    """A model that has a z for every image."""

    @abstractmethod
    def encode(self, images: Images, labels: Labels) -> Vectors:
        """The z that draws these images, or comes nearest to it, [b, latent]."""


class Explains(ABC):
    """A model that has a likelihood, or a bound of one."""

    @abstractmethod
    def bits(self, images: Images, labels: Labels, noise: Noise, k: int = 1) -> PerSample:
        """Bits/dim of each 8-bit image, [b], from above: a bound by k samples, in expectation falling with k.

        Raises ValueError for images of another size or channel count than the model's.
        """


def check_side(size: int, multiple: int) -> None:
    """Raises ValueError, with the next size that works, where a network cannot halve a side so often."""
    if size % multiple:
        fit = -(-size // multiple) * multiple
        raise ValueError(
            f"size = {size}: this network needs a multiple of {multiple}; the next that works is {fit} (or take "
            "another patch, or fewer levels)"
        )

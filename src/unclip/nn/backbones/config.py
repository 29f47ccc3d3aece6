"""What every network of images is to those who choose among them: settings that build it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.typing import Float, Images, Tensor

N = TypeVar("N", bound="ImageNetworkConfig")
A = TypeVar("A", bound="AroundConfig")


class ImageNetworkConfig(Config, ABC):
    """The base class of settings of image networks; a config file names the member by its `kind`.

    One of your own is a frozen dataclass that adds its fields, and defines `multiple` and `build` (docs/networks.md).

    Args:
        channels: of the images.
        vector_width: of `cond.vector`; 0: none.
        token_width: of `cond.tokens`; 0: none.
        image_channels: of `cond.image`, which is seen beside the input; 0: none.
        learned_variance: whether the network returns twice the channels.
    """

    channels: int
    vector_width: int
    token_width: int
    image_channels: int
    learned_variance: bool

    @property
    @abstractmethod
    def multiple(self) -> int:
        """The number of pixels that the sides of an image must be divisible by."""

    @property
    def reads_words(self) -> bool:
        """Whether it reads `cond.words`, the caption's token ids."""
        return False

    def changed(self: N, **changes: object) -> N:
        """The same settings with others for some of them."""
        return replace(self, **changes)  # pyright: ignore[reportArgumentType]  # every member is a dataclass

    @abstractmethod
    def build(self) -> nn.Module:
        """Builds the network with its initial weights."""


@dataclass(frozen=True)
class AroundConfig(ImageNetworkConfig):
    """The base class of settings of networks that are made around another one: what they are told, that is told.

    Args:
        of: the network inside.
    """

    of: ImageNetworkConfig

    @property
    def channels(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the images."""
        return self.of.channels

    @property
    def vector_width(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of `cond.vector`; 0: none."""
        return self.of.vector_width

    @property
    def token_width(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of `cond.tokens`; 0: none."""
        return self.of.token_width

    @property
    def image_channels(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of `cond.image`; 0: none."""
        return self.of.image_channels

    @property
    def learned_variance(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the network returns twice the channels."""
        return self.of.learned_variance

    @property
    def multiple(self) -> int:
        """The number of pixels that the sides of an image must be divisible by."""
        return self.of.multiple

    @property
    def reads_words(self) -> bool:
        """Whether it reads `cond.words`."""
        return self.of.reads_words

    def changed(self: A, **changes: object) -> A:
        """The same around a network with these settings."""
        return replace(self, of=self.of.changed(**changes))


def network_input(x: Images, cond: Condition, image_channels: int) -> Float[Tensor, "b c2 h w"]:
    """The network's input: x, and beside it `cond.image` where the network takes one.

    Raises ValueError where the image that it needs is missing or of another shape.
    """
    if not image_channels:
        return x
    wanted = (len(x), image_channels, *x.shape[2:])
    if cond.image is None or cond.image.shape != wanted:
        found = None if cond.image is None else tuple(cond.image.shape)
        raise ValueError(f"condition.image has shape {found}: this network needs {wanted}")
    return torch.cat([x, cond.image.to(x.dtype)], dim=1)

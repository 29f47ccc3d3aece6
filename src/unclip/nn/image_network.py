"""What every network of pictures is to those who choose among them: settings that build it."""

from abc import ABC, abstractmethod

from torch import nn

from unclip.core.config import Config


class ImageNetworkConfig(Config, ABC):
    """Base of the settings of the networks F(x, log-SNR, condition) for pictures; a config file names the member.

    channels: of the pictures; vector_width: of `cond.vector` (0: none); token_width: of `cond.tokens` (0: none);
    learned_variance: twice the channels come out.
    """

    channels: int
    vector_width: int
    token_width: int
    learned_variance: bool

    @property
    @abstractmethod
    def multiple(self) -> int:
        """Picture sides must be divisible by this."""

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with first weights."""

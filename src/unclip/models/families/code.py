"""What a VAE and a GAN share: z is a code of few numbers, which a convolutional decoder makes an image of."""

from dataclasses import dataclass, field
from typing import TypeVar

from unclip.core.config.ranges import Count
from unclip.models.families.base import OnePass, OnePassConfig, OnePassOptions, check_side
from unclip.nn.generators.vector import VectorCoderConfig


@dataclass(frozen=True)
class CodeOptions(OnePassOptions):
    """What may be chosen of a model of codes. network: between vectors and images; latent: numbers of z."""

    network: VectorCoderConfig = field(default_factory=VectorCoderConfig)
    latent: Count = 64


@dataclass(frozen=True, kw_only=True)
class CodeConfig(CodeOptions, OnePassConfig):
    """A whole one. Raises ValueError where the size does not fit the network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_side(self.size, self.network.multiple)


C = TypeVar("C", bound=CodeConfig)


class CodeModel(OnePass[C]):
    """Base of the models whose z is a code."""

    @property
    def channels(self) -> int:
        return self.config.network.channels

    @property
    def latent(self) -> int:
        return self.config.latent

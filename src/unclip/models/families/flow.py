"""A normalizing flow of 8-bit images with exact likelihood (RealNVP, Dinh et al. 2017; Glow, Kingma & Dhariwal 2018).

    log p(y|c) = log N(f(y, c); 0, I) + log |det df/dy|,    y = x + u

f is `nn.flows.MultiScale`. A density knows no 8-bit values: u fills the bin of each (dequantisation; Theis et al.
2016). The likelihood of y is exact; that of the 8-bit image is bounded by it,

    log P(x|c) >= E_q(u|x)[log p(x + u|c) - log q(u|x)],

where q is uniform, or learned (variational dequantisation, Flow++, Ho et al. 2019, section 3.1), and k samples of u
make the bound tighter (`importance`). The other flow of this package is continuous:
`diffusion.likelihood.flow_likelihood`.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Images, PerSample, Vectors
from unclip.diffusion.likelihood import dequantised, quantisation_bits
from unclip.diffusion.likelihood.bits import LEVELS
from unclip.models.classes import Labels
from unclip.models.families.base import Encodes, Explains, OnePass, OnePassConfig, OnePassOptions, check_side
from unclip.models.families.importance import bits_by_importance
from unclip.nn.flows.dequantise import Dequantiser
from unclip.nn.flows.multiscale import MultiScale, MultiScaleConfig


@dataclass(frozen=True)
class FlowOptions(OnePassOptions):
    """What may be chosen of a flow.

    network: of the invertible layers. dequantise: how a value is spread over its bin: "uniform" or "variational",
    learned.
    """

    network: MultiScaleConfig = field(default_factory=MultiScaleConfig)
    dequantise: Literal["uniform", "variational"] = "uniform"


@dataclass(frozen=True, kw_only=True)
class FlowConfig(FlowOptions, OnePassConfig):
    """A whole flow. Raises ValueError where the size does not fit the levels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_side(self.size, self.network.multiple)


class Flow(OnePass[FlowConfig], Encodes, Explains):
    """An invertible network between images and N(0, I): exact likelihood, exact z of every image."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        network, classes = config.network, len(config.classes)
        self.flow = MultiScale(network, config.size, classes)
        learned = config.dequantise == "variational"
        self.spread = Dequantiser(network.channels, network.widths[0], network.blocks, classes) if learned else None

    @property
    def channels(self) -> int:
        return self.config.network.channels

    @property
    def latent(self) -> int:
        return self.channels * self.config.size**2

    def encode(self, images: Images, labels: Labels) -> Vectors:
        """f(x), x in the middle of its bins."""
        self.check(images)
        return self.flow(images, self.classes(labels))[0]

    def decode(self, z: Vectors, labels: Labels) -> Images:
        """The inverse of f."""
        return self.flow.inverse(z, self.classes(labels))

    def fit(self, images: Images, labels: Labels, noise: Noise) -> None:
        """Takes the first weights of the actnorms from a batch."""
        self.flow.fit(dequantised(images, noise), self.classes(labels))

    def log_density(self, y: Images, labels: Labels) -> PerSample:
        """log p(y|c) of images of continuous values, nats, [b]: exact."""
        self.check(y)
        z, log_det = self.flow(y, self.classes(labels))
        return log_det - (z.square() + math.log(2 * math.pi)).sum(1) / 2

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """Bits/dim of the dequantised images."""
        images, labels = self.seen(batch)
        return Losses(self.bits(images, labels, noise).mean())

    def bits(self, images: Images, labels: Labels, noise: Noise, k: int = 1) -> PerSample:
        """Exact for the dequantised images, and so a bound for the 8-bit ones; tighter with k samples of u, [b]."""
        dimensions = images[0].numel()

        def log_weight(i: int) -> PerSample:
            y, log_q = self._dequantised(images, labels, noise.fork(str(i)))
            return self.log_density(y, labels) - quantisation_bits() * math.log(2) * dimensions - log_q

        return bits_by_importance(log_weight, k, dimensions)

    def _dequantised(self, images: Images, labels: Labels, noise: Noise) -> tuple[Images, PerSample]:
        """y = x + u, and log q(u|x) of u in units of a bin, [b]."""
        if self.spread is None:
            return dequantised(images, noise), images.new_zeros(len(images))
        u, log_q = self.spread(images, self.classes(labels), noise)
        return images + (u - 0.5) * (2 / (LEVELS - 1)), log_q

"""The patch discriminator of pix2pix (Isola et al. 2017, section 3.2.2): a verdict on every overlapping patch.

4x4 convolutions: one of stride 2 a layer, its width doubling up to eight times the first; one of stride 1; one to a
verdict. A verdict sees 16 px with 1 layer, 34 px with 2, 70 px with 3, which is the paper's.

Theirs has batch norms; here group norms, so that an image's verdict does not depend on its neighbours in the batch.
"""

from dataclasses import dataclass
from typing import Annotated

from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Range
from unclip.core.typing import Float, Images, Tensor


@dataclass(frozen=True)
class PatchCriticConfig(Config):
    """Settings of `PatchCritic`.

    Args:
        channels: of the images.
        width: channels of the first layer, a multiple of 16.
        layers: how often the side is halved; 3, which sees 70 px, is the paper's.
    """

    channels: Count = 3
    width: Annotated[int, Range(16, 65536)] = 32
    layers: Annotated[int, Range(1, 8)] = 2

    def __post_init__(self) -> None:
        if self.width % 16:
            raise ValueError(f"width = {self.width}: must be a multiple of 16, for the group norms")

    @property
    def smallest(self) -> int:
        """The smallest side of an image that it can judge, px."""
        return 3 * 2**self.layers


class PatchCritic(nn.Module):
    """The patch discriminator of pix2pix (Isola et al. 2017): from images [b, channels, h, w] to scores [b, 1, h', w'].

    Each score judges one of many overlapping patches: above 0 real, below 0 generated.
    """

    def __init__(self, config: PatchCriticConfig) -> None:
        super().__init__()
        self.config = config
        parts: list[nn.Module] = [nn.Conv2d(config.channels, config.width, 4, 2, 1), nn.LeakyReLU(0.2)]
        came = config.width
        for i in range(1, config.layers + 1):
            width = config.width * min(2**i, 8)
            stride = 2 if i < config.layers else 1
            parts += [nn.Conv2d(came, width, 4, stride, 1), nn.GroupNorm(width // 16, width), nn.LeakyReLU(0.2)]
            came = width
        # Sequential, not a ModuleList, whose matrices Muon would take: a critic needs no faster steps.
        self.parts = nn.Sequential(*parts, nn.Conv2d(came, 1, 4, 1, 1))

    def forward(self, x: Images) -> Float[Tensor, "b 1 h2 w2"]:
        """Computes the scores. Raises ValueError for images too small for a single one."""
        if min(x.shape[2:]) < self.config.smallest:
            raise ValueError(
                f"images of {x.shape[2]} x {x.shape[3]} px: a critic of {self.config.layers} layers needs sides of "
                f"{self.config.smallest} px at least; give it fewer layers"
            )
        return self.parts(x).float()

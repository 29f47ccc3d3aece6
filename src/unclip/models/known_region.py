"""Images of which a part is given, as a network is shown them that paints the rest (GLIDE, Nichol et al. 2021)."""

from dataclasses import dataclass

import torch

from unclip.core.typing import Float, Images, Tensor
from unclip.data.masks import Known


@dataclass(frozen=True)
class KnownRegion:
    """Images of which a part is given; mask: 1 where."""

    images: Images
    mask: Known

    def shown(self) -> Float[Tensor, "b c2 h w"]:
        """[m x, m]: one channel more than the images have. Where nothing is known, all is zero."""
        mask = self.mask.expand(len(self.images), -1, -1, -1)
        return torch.cat([self.images * mask, mask], dim=1)

    def over(self, x: Images) -> Images:
        """x with what is given in its place, to the last bit."""
        return torch.where(self.mask == 1, self.images, x)

    def part(self, some: slice) -> "KnownRegion":
        """These of the images, each with its mask."""
        n = len(self.images)
        return KnownRegion(self.images[some], self.mask.expand(n, -1, -1, -1)[some])

    def to(self, device: str | torch.device) -> "KnownRegion":
        """The same elsewhere."""
        return KnownRegion(self.images.to(device), self.mask.to(device))

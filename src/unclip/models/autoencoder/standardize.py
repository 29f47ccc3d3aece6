"""Codes to mean 0 and variance 1 in each channel, and back."""

from unclip.core.typing import Float, Images, Tensor
from unclip.nn.blocks.embed import Standardize


class StandardizeCodes(Standardize):
    """Scales each channel of codes to mean 0 and standard deviation 1, and back.

    LDM divides by one measured standard deviation (appendix G; Stable Diffusion's 1 / 0.18215); here each channel has
    its own, and its own mean. They are measured on the training codes and stored.
    """

    def fit(self, embeddings: Images) -> None:
        """Takes mean and standard deviation of each channel from codes, [n, c, h, w]."""
        super().fit(embeddings.movedim(1, -1).flatten(0, 2))

    def forward(self, x: Images) -> Images:
        return (x - wide(self.mean)) / wide(self.std)

    def inverse(self, x: Images) -> Images:
        """Scales standardised codes back, [b, c, h, w]."""
        return x * wide(self.std) + wide(self.mean)


def wide(channels: Float[Tensor, " c"]) -> Float[Tensor, "1 c 1 1"]:
    """A number a channel, laid over all cells."""
    return channels.view(1, -1, 1, 1)

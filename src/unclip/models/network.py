"""How a model of images and its network agree: what one must be follows from the other."""

from unclip.diffusion.process import DiffusionConfig
from unclip.nn.backbones.config import ImageNetworkConfig


def check_network(network: ImageNetworkConfig, size: int, diffusion: DiffusionConfig) -> None:
    """Raises ValueError where images of `size` px, or a learned variance, do not fit the network."""
    if size < 1 or size % network.multiple:
        raise ValueError(f"size = {size}: this network needs a multiple of {network.multiple}")
    if network.learned_variance != (diffusion.vlb_weight > 0):
        raise ValueError(
            f"network.learned_variance = {network.learned_variance}, diffusion.vlb_weight = {diffusion.vlb_weight}: "
            "set both, or none, to learn the variance"
        )

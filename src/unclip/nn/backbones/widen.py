"""Weights of a trained network for one that sees more beside its input; at first that changes nothing.

The channels of `Condition.image` come last in every first convolution of a network (also behind a space-to-depth and
in the full-resolution end of the hourglass), so a wider network is the narrow one with more input channels at the end.
GLIDE (Nichol et al. 2021, section 4.3) starts the weights of its mask channels at zero, as here.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unclip.nn.backbones.config import ImageNetworkConfig


def widened(config: ImageNetworkConfig, channels: int) -> ImageNetworkConfig:
    """The settings of a network that sees `channels` more beside its input."""
    return config.changed(image_channels=config.image_channels + channels)


@torch.no_grad()
def load_widened(wide: nn.Module, narrow: Mapping[str, Tensor]) -> None:
    """Gives `wide` the weights of a narrower module; input channels that are new start at zero.

    The outputs are then the same, whatever stands in the new channels: bit for bit where the convolutions sum in the
    same order, which torch promises for neither size. Raises ValueError where anything but input channels differs.
    """
    own = wide.state_dict()
    if own.keys() != narrow.keys():
        odd = sorted(own.keys() ^ narrow.keys())
        raise ValueError(f"weights of another network: {', '.join(odd[:3])} are in one of the two only")
    wide.load_state_dict({name: _padded(name, narrow[name], weight) for name, weight in own.items()})


def _padded(name: str, narrow: Tensor, wide: Tensor) -> Tensor:
    if narrow.shape == wide.shape:
        return narrow
    same = narrow.dim() == wide.dim() == 4 and narrow.shape[:1] + narrow.shape[2:] == wide.shape[:1] + wide.shape[2:]
    if not same or narrow.shape[1] > wide.shape[1]:
        raise ValueError(f"{name} of shape {tuple(narrow.shape)}: cannot be widened to {tuple(wide.shape)}")
    return F.pad(narrow, (0, 0, 0, 0, 0, wide.shape[1] - narrow.shape[1]))

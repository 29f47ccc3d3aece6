"""How images lie in memory where convolutions are computed."""

import torch

from unclip.core.typing import Images

CHANNELS_LAST = frozenset({"cuda"})
"""Kinds of device whose convolutions are faster where the channels of a pixel lie side by side."""


def laid_out(x: Images) -> Images:
    """The same numbers, in the order that this device's convolutions are fastest with; what follows keeps it."""
    return x.contiguous(memory_format=torch.channels_last) if x.device.type in CHANNELS_LAST else x

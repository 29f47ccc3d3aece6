"""Float64 where it is needed, on any device: Apple's GPUs (mps) have none, so there it is computed on the CPU.

Levels and likelihoods lose digits in float32. `wide` is the package's only way to float64 for a tensor that may lie on
a device, `narrow` the way back; tests train on a device without float64.
"""

from torch import Tensor

LACKS_FLOAT64 = frozenset({"mps"})
"""Kinds of device that refuse float64."""


def wide(x: Tensor) -> Tensor:
    """x in float64: on its own device, or on the CPU where that has no float64."""
    return (x.cpu() if x.device.type in LACKS_FLOAT64 else x).double()


def narrow(x: Tensor, like: Tensor) -> Tensor:
    """x in float32, on the device of `like`."""
    return x.float().to(like.device)

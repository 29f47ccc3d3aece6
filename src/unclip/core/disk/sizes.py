"""How many numbers a network may be made of, checked before memory is taken: widths may be forged, or a slip."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

MAKERS = frozenset((torch.empty, torch.zeros, torch.ones, torch.full))
"""What networks get their numbers from."""
FILLERS = frozenset(
    [
        getattr(Tensor, name)
        for name in ("normal_", "uniform_", "zero_", "fill_", "mul_", "add_", "erfinv_", "clamp_", "copy_")
    ]
    + [getattr(nn.init, name) for name in ("kaiming_uniform_", "uniform_", "normal_", "trunc_normal_", "orthogonal_")]
)
"""What gives them their first values."""
LARGE = 2**16
"""Numbers in a tensor whose first values cost time to draw."""
FLOAT = 4
"""Bytes of a number."""


class TooLarge(ValueError):
    """More numbers than allowed were asked for."""


class Bounded(TorchFunctionMode):
    """Within it, making more than `maximum` numbers in all raises TooLarge, before any memory is taken for them.

    untouched: large tensors keep what lies in memory, so that a network is only measured.
    """

    def __init__(self, maximum: int | float, untouched: bool = False) -> None:
        super().__init__()
        self.maximum, self.untouched, self.made = maximum, untouched, 0

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in MAKERS:
            self.made += numbers_in_call(func, args, kwargs)
            if self.made > self.maximum:
                raise TooLarge(f"more than {self.maximum:,.0f} numbers")
        if self.untouched and func in FILLERS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.numel() > LARGE:
                return tensor
        return func(*args, **kwargs)


def numbers_in_call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """How many numbers a call makes."""
    size = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
    return math.prod(size)


def free_memory() -> float:
    """Bytes that a process may still take; infinity where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return math.inf

"""Tensors of which every process has a part of the rows (DTensor, sharded along the first dimension).

torch's module for them is imported where weights are shared out, and nowhere else: it takes a second, and some builds
of torch have none.
"""

import sys
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from unclip.core import processes


def is_parted(value: Tensor) -> bool:
    """Whether a tensor is shared out; none is where nobody has imported what makes such ones."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(value, module.DTensor)


def own_part(value: Tensor) -> Tensor:
    """What this process keeps of a tensor; of one that is not shared out all of it. It shares its memory."""
    return cast(Any, value).to_local() if is_parted(value) else value


def whole_like(like: Tensor, part: Tensor) -> Tensor:
    """The whole of which every process has a part, laid out as `like`; where that is not shared out `part` itself."""
    if not is_parted(like):
        return part
    from torch.distributed.tensor import DTensor

    laid = cast(DTensor, like)
    one = DTensor.from_local(
        part, laid.device_mesh, laid.placements, run_check=False, shape=laid.shape, stride=laid.stride()
    )
    return one.full_tensor()


def part_like(like: Tensor, whole: Tensor) -> Tensor:
    """This process's part of a tensor that is laid out as `like`; where that is not shared out all of it."""
    if not is_parted(like):
        return whole
    rows = -(-like.shape[0] // processes.count())
    return whole[processes.rank() * rows : (processes.rank() + 1) * rows]


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's weights and buffers, of shared ones this process's part."""
    state: dict[str, Any] = module.state_dict()
    return {name: own_part(value.detach()) for name, value in state.items()}


@runtime_checkable
class Parts(Protocol):
    """Which part of a weight, and of what belongs to it, a parameter of an optimiser is."""

    def shape(self, part: nn.Parameter) -> torch.Size:
        """Of the whole."""
        ...

    def gathered(self, part: nn.Parameter, value: Tensor) -> Tensor:
        """The whole of what `value` is this process's part of."""
        ...

    def own(self, part: nn.Parameter, whole: Tensor) -> Tensor:
        """This process's part of it."""
        ...

    def master(self, p: nn.Parameter) -> nn.Parameter:
        """What the optimiser changes in the place of a weight."""
        ...


class Undivided:
    """Where every process has all."""

    def shape(self, part: nn.Parameter) -> torch.Size:
        """Its own."""
        return part.shape

    def gathered(self, part: nn.Parameter, value: Tensor) -> Tensor:
        """The same."""
        return value

    def own(self, part: nn.Parameter, whole: Tensor) -> Tensor:
        """The same."""
        return whole

    def master(self, p: nn.Parameter) -> nn.Parameter:
        """Itself."""
        return p

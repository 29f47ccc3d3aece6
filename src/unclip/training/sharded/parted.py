"""Tensors of which every process has a part of the rows (DTensor, sharded along the first dimension).

torch's module for them is imported where weights are shared out, and nowhere else: it takes a second, and some builds
of torch have none.
"""

import sys
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from unclip.core import processes
from unclip.core.untyped import rows_of_processes


def is_parted(value: Tensor) -> bool:
    """Whether a tensor is shared out; none is where nobody has imported what makes such ones."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(value, module.DTensor)


def own_part(value: Tensor) -> Tensor:
    """What this process keeps of a tensor; of one that is not shared out all of it. It shares its memory."""
    if not is_parted(value):
        return value.detach()
    with torch.no_grad():  # so it is no operation on a shared tensor, of which torch would keep the layout
        return cast(Any, value).to_local()


def whole_like(like: Tensor, part: Tensor) -> Tensor:
    """The whole of which every process has a part, laid out as `like`; where that is not shared out `part` itself."""
    if not is_parted(like):
        return part
    own = part.new_zeros(_rows(like), *like.shape[1:])
    own[: len(part)] = part
    return rows_of_processes(own)[: len(like)]


def part_like(like: Tensor, whole: Tensor) -> Tensor:
    """This process's part of a tensor that is laid out as `like`; where that is not shared out all of it."""
    if not is_parted(like):
        return whole
    rows = _rows(like)
    return whole[processes.rank() * rows : (processes.rank() + 1) * rows]


def _rows(like: Tensor) -> int:
    """How many rows a process has of it; the last ones may have fewer, or none."""
    return -(-like.shape[0] // processes.count())


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's weights and buffers, of shared ones this process's part."""
    state: dict[str, Tensor] = module.state_dict(keep_vars=True)
    return {name: own_part(value) for name, value in state.items()}


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

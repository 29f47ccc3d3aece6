"""Weights, gradients, averages and moments shared out over processes (FSDP2, `fully_shard`): each keeps its part.

A block's weights are gathered whole where it is computed, and no longer. What each process keeps is a part of the rows
of every tensor; optimiser and average work on these parts as on tensors of their own. The masters are float32.
"""

import warnings
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from unclip.core import processes
from unclip.core.task import Penalized
from unclip.core.untyped import sum_over_processes
from unclip.training.recompute import blocks
from unclip.training.sharded.parted import own_part, part_like, whole_like

R = TypeVar("R")


class Inside(nn.Module):
    """Does work with a task whose own weights are whole while it lasts, and each block's while that is computed."""

    def __init__(self, task: nn.Module) -> None:
        super().__init__()
        self.task = task

    def forward(self, work: Callable[[], R]) -> R:
        return work()


class Sharding:
    """A task whose weights are shared out; `masters` has a tensor for this process's part of each."""

    def __init__(self, task: nn.Module, precision: str) -> None:
        kind = next(task.parameters()).device.type
        mesh = init_device_mesh(kind, (processes.count(),))
        # Single numbers have no rows to share out: every process keeps them.
        single = {p for p in task.parameters() if p.dim() == 0}
        half = torch.bfloat16 if precision == "bfloat16" else None
        policy = MixedPrecisionPolicy(half, torch.float32, cast_forward_inputs=False)
        warnings.filterwarnings("ignore", "FSDP2-wrapped module")  # of in-place changes of outputs: there are none
        self.task, self.root = task, Inside(task)
        self.modules = (*blocks(task), self.root)
        for module in self.modules:
            fully_shard(module, mesh=mesh, mp_policy=policy, ignored_params=single)
        if isinstance(task, Penalized):  # the way back goes through a gradient, which has gathered and dropped them
            for module in self.modules:
                cast(FSDPModule, module).set_reshard_after_backward(False)
        shared = [p for p in task.parameters() if isinstance(p, DTensor)]
        self.masters: dict[nn.Parameter, nn.Parameter] = {p: nn.Parameter(own_part(p), p.requires_grad) for p in shared}
        self.whole = [p for p in task.parameters() if not isinstance(p, DTensor) and p.requires_grad]
        self.of = {id(master): p for p, master in self.masters.items()}

    def inside(self, work: Callable[[], R]) -> R:
        """Does work that needs the weights."""
        return cast(R, self.root(work))

    def settled(self) -> None:
        """After a step's gradients: the masters have their parts of them, single numbers the mean of all."""
        for module in self.modules:
            cast(FSDPModule, module).reshard()
        for p, master in self.masters.items():
            master.data = own_part(p)  # where it lies may have changed
            master.grad = None if p.grad is None else own_part(p.grad)
            p.grad = None
        for p in self.whole:
            p.grad = None if p.grad is None else processes.averaged(p.grad)

    def clip(self, maximum: float) -> Tensor:
        """Scales the gradients to norm `maximum` at the largest; returns the norm before, which may not be finite."""
        parts = [m.grad for m in self.masters.values() if m.grad is not None]
        single = [p.grad for p in self.whole if p.grad is not None]
        square = sum_over_processes(_square(parts, self.root)) + _square(single, self.root)
        norm = square.sqrt()
        for gradient in (*parts, *single):
            gradient.mul_((maximum / (norm + 1e-6)).clamp(max=1.0))
        return norm

    def gathered(self, part: nn.Parameter, value: Tensor) -> Tensor:
        """The whole of what `value` is this process's part of. part: a master, or a weight that is whole."""
        p = self.of.get(id(part))
        return value if p is None or value.dim() == 0 else whole_like(p, value)

    def master(self, p: nn.Parameter) -> nn.Parameter:
        """What the optimiser changes in the place of a weight."""
        return self.masters.get(p, p)

    def shape(self, part: nn.Parameter) -> torch.Size:
        """Of the whole."""
        return self.of.get(id(part), part).shape

    def own(self, part: nn.Parameter, whole: Tensor) -> Tensor:
        """This process's part of it."""
        p = self.of.get(id(part))
        return whole if p is None or whole.dim() == 0 else part_like(p, whole)


def _square(tensors: Iterable[Tensor], module: nn.Module) -> Tensor:
    start = torch.zeros((), device=next(module.parameters()).device)
    return sum((t.float().square().sum() for t in tensors), start)

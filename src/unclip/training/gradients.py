"""Loss and gradients of a batch, its shards computed side by side: by threads of one process, or by several processes.

Threads that share each small operation meet, spinning, at the end of every one: on an idle machine that is a little
faster, beside busy neighbours tens of times slower. Threads that each take a shard of the batch meet once a step.
"""

import inspect
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from unclip.core import processes
from unclip.core.machine import computing
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses, Paced, Task
from unclip.training.optim import clip_gradients
from unclip.training.parts import Piece, added, pieces

R = TypeVar("R")
Figures = Mapping[str, float | Tensor]
KNOWN = inspect.signature(DistributedDataParallel).parameters
NEW = "forward_sync_buffers"
OWN_BUFFERS: dict[str, Any] = {NEW if NEW in KNOWN else "broadcast_buffers": False}
"""Buffers are not made those of the first process at each step, in the words of this torch (2.13 has a new one)."""


@contextmanager
def threads(workers: int) -> Iterator[Executor | None]:
    """So many threads, each with its part of the threads that torch computes with; None for one worker.

    torch keeps a number for each thread, and one for threads to come: that one is put back as soon as these have
    started, so that nothing of the process is changed, not even while a generator that holds them is left standing.
    """
    if workers == 1:
        yield None
        return
    whole, started = torch.get_num_threads(), threading.Barrier(workers)

    def begin() -> None:
        torch.set_num_threads(max(1, whole // workers))
        torch.get_num_threads()  # from now on this thread no longer takes what is set for threads to come
        started.wait()

    with ThreadPoolExecutor(workers, initializer=begin) as pool:
        for waiting in [pool.submit(lambda: None) for _ in range(workers)]:
            waiting.result()
        torch.set_num_threads(whole)
        yield pool


@runtime_checkable
class Gradients(Protocol):
    """Fills the gradients of a task's parameters with those of a batch."""

    def __call__(self, batch: Batch, noises: Sequence[Noise]) -> Losses:
        """Of the batch, or of the part of it that this process has. One noise a shard."""
        ...

    def clip(self, maximum: float) -> Tensor:
        """Scales the gradients to norm `maximum` at the largest; returns the norm before, which may not be finite."""
        ...

    def inside(self, work: Callable[[], R]) -> R:
        """Does work that needs the task's weights, in the precision of the training."""
        ...


class _Plain:
    """What is the same wherever a process has all weights."""

    task: Task
    precision: str
    device: str

    def clip(self, maximum: float) -> Tensor:
        """As of `Gradients`."""
        assert isinstance(self.task, nn.Module)
        return clip_gradients(self.task.parameters(), maximum)

    def inside(self, work: Callable[[], R]) -> R:
        """As of `Gradients`."""
        with computing(self.device, self.precision):
            return work()


def gradients(task: Task, precision: str, pool: Executor | None, parts: int = 1) -> Gradients:
    """How a task's gradients are computed here. pool: of `threads`; parts: in which each shard is computed."""
    return ByThreads(task, precision, pool, parts) if processes.count() == 1 else ByProcesses(task, precision, parts)


class ByThreads(_Plain):
    """Fills the gradients of a task's parameters; the mean over the shards in a fixed order, so it is reproducible.

    pool: `threads` that take a shard each; None where a batch is one shard. parts: in which each shard is computed.
    """

    def __init__(self, task: Task, precision: str, pool: Executor | None = None, parts: int = 1) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.precision, self.pool, self.parts = task, precision, pool, parts
        self.parameters: list[nn.Parameter] = [p for p in task.parameters() if p.requires_grad]
        self.device = self.parameters[0].device.type

    def __call__(self, batch: Batch, noises: Sequence[Noise]) -> Losses:
        """One noise a shard; as many shards as noises."""
        shards = batch.shards(len(noises))
        run = map if self.pool is None else self.pool.map
        results = list(run(self._one, shards, noises))
        for parameter, *parts in zip(self.parameters, *(gradients for _, gradients in results), strict=True):
            parameter.grad = _mean(parts)
        losses = [loss for loss, _ in results]
        total = torch.stack([loss.total.detach() for loss in losses]).mean()
        return Losses(total, losses[0].parts)

    def _one(self, batch: Batch, noise: Noise) -> tuple[Losses, Sequence[Tensor | None]]:
        losses: list[Losses] = []
        total: Sequence[Tensor | None] = ()
        steps = self.inside(lambda: pieces(self.task, batch, noise, self.parts))
        for piece in steps:
            with torch.enable_grad():
                losses.append(self.inside(piece))
            found = torch.autograd.grad(losses[-1].total, self.parameters, allow_unused=True)
            total = [_sum(pair) for pair in zip(total, found, strict=True)] if total else found
        return losses[0] if len(losses) == 1 else added(losses), total


class ByProcesses(_Plain):
    """The same where each of several processes has a part of the batch: DistributedDataParallel averages over them.

    The loss is the mean over all; the further figures are those of this process's part.
    """

    def __init__(self, task: Task, precision: str, parts: int = 1) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.precision, self.parts = task, precision, parts
        self.device = next(task.parameters()).device.type
        warnings.filterwarnings("ignore", "Grad strides do not match")  # of weights [1, n]: costs a small copy
        changes = any(isinstance(part, Paced) for part in task.modules())  # only such a task leaves weights unused
        self.shared = DistributedDataParallel(_Loss(task, precision), find_unused_parameters=changes, **OWN_BUFFERS)

    def __call__(self, batch: Batch, noises: Sequence[Noise]) -> Losses:
        (noise,) = noises
        self.shared.zero_grad(set_to_none=True)
        steps = self.inside(lambda: pieces(self.task, batch, noise, self.parts))
        losses = list[Losses]()
        for n, piece in enumerate(steps, 1):
            with nullcontext() if n == len(steps) else self.shared.no_sync(), torch.enable_grad():
                total, parts = self.shared(piece)
                total.backward()
            losses.append(Losses(total.detach(), parts))
        return Losses(processes.averaged(added(losses).total), losses[-1].parts)


class _Loss(nn.Module):
    """A task whose loss is what it computes when it is called, as DistributedDataParallel wants it."""

    def __init__(self, task: nn.Module, precision: str) -> None:
        super().__init__()
        self.task, self.precision = task, precision
        self.device = next(task.parameters()).device.type

    def forward(self, piece: Piece) -> tuple[Tensor, Figures]:
        with computing(self.device, self.precision):
            losses = piece()
        return losses.total, losses.parts


def _mean(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [p for p in parts if p is not None]
    if not there:
        return None
    total = there[0]
    for part in there[1:]:
        total = total.add_(part)
    return total if len(parts) == 1 else total.div_(len(parts))


def _sum(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [p for p in parts if p is not None]
    return torch.stack(there).sum(0) if len(there) > 1 else next(iter(there), None)

"""Loss and gradients of a batch, its shards computed side by side by threads of one process.

Threads that share each small operation meet, spinning, at the end of every one: on an idle machine that is a little
faster, beside busy neighbours tens of times slower. Threads that each take a shard of the batch meet once a step.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from unclip.core.noise import Noise
from unclip.core.plugins.returned import returned
from unclip.core.task import Batch, Losses, Task


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


class Gradients:
    """Fills the gradients of a task's parameters; the mean over the shards in a fixed order, so it is reproducible.

    pool: `threads` that take a shard each; None where a batch is one shard.
    """

    def __init__(self, task: Task, precision: str, pool: Executor | None = None) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.precision, self.pool = task, precision, pool
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

    def _one(self, batch: Batch, noise: Noise) -> tuple[Losses, tuple[Tensor | None, ...]]:
        with torch.enable_grad(), torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
            losses = returned(self.task.loss(batch, noise), Losses, f"{type(self.task).__name__}.loss")
        return losses, torch.autograd.grad(losses.total, self.parameters, allow_unused=True)


def _mean(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [p for p in parts if p is not None]
    if not there:
        return None
    total = there[0]
    for part in there[1:]:
        total = total.add_(part)
    return total if len(parts) == 1 else total.div_(len(parts))

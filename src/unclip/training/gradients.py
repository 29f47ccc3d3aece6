"""Loss and gradients of a batch, its shards computed side by side by threads of one process.

Threads that share each small operation meet, spinning, at the end of every one: on an idle machine that is a little
faster, beside busy neighbours tens of times slower. Threads that each take a shard of the batch meet once a step.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses, Task


class Gradients:
    """Fills the gradients of a task's parameters; the mean over the shards in a fixed order, so it is reproducible."""

    def __init__(self, task: Task, precision: str, workers: int) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.precision, self.workers = task, precision, workers
        self.parameters: list[nn.Parameter] = [p for p in task.parameters() if p.requires_grad]
        self.device = self.parameters[0].device.type
        self.threads = torch.get_num_threads()
        each = max(1, self.threads // workers)
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(each,))

    def __call__(self, batch: Batch, noises: Sequence[Noise]) -> Losses:
        """One noise a shard; as many shards as noises."""
        shards = batch.shards(len(noises))
        if len(shards) == 1:
            results = [self._one(shards[0], noises[0])]
        else:
            results = list(self.pool.map(self._one, shards, noises))
        for parameter, *parts in zip(self.parameters, *(gradients for _, gradients in results), strict=True):
            parameter.grad = _mean(parts)
        losses = [loss for loss, _ in results]
        total = torch.stack([loss.total.detach() for loss in losses]).mean()
        return Losses(total, losses[0].parts)

    def _one(self, batch: Batch, noise: Noise) -> tuple[Losses, tuple[Tensor | None, ...]]:
        with torch.enable_grad(), torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
            losses = self.task.loss(batch, noise)
        return losses, torch.autograd.grad(losses.total, self.parameters, allow_unused=True)

    def close(self) -> None:
        """Ends the threads; the process gets its own number of threads back."""
        self.pool.shutdown()
        torch.set_num_threads(self.threads)


def _mean(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [p for p in parts if p is not None]
    if not there:
        return None
    total = there[0]
    for part in there[1:]:
        total = total.add_(part)
    return total if len(parts) == 1 else total.div_(len(parts))

"""Which samples of a batch have a loss that is not finite, so that whoever trains can look at them."""

from collections.abc import Sequence

import torch
from torch import nn

from unclip.core import processes
from unclip.core.noise import Noise, Rows
from unclip.core.task import Batch, Compares, Task
from unclip.core.untyped import integers
from unclip.training.gradients import Gradients
from unclip.training.parts import loss_of


def lost_rows(task: Task, batch: Batch, noises: Sequence[Noise], how: Gradients) -> list[int]:
    """The rows, of the batch of all processes, whose loss alone is not finite, with the random numbers that they had.

    noises: one a shard. None where only all of them together, or their gradient, are not finite.
    """
    assert isinstance(task, nn.Module)
    task.eval()  # what a task remembers of its batches is not told of this one a second time
    look = _by_embedding if isinstance(task, Compares) else _by_loss
    shards = zip(batch.shards(len(noises)), noises, strict=True)
    bad = how.inside(lambda: torch.cat([look(task, shard, noise) for shard, noise in shards]))
    task.train()
    return integers(processes.gathered(bad.int()).nonzero()[:, 0])


@torch.no_grad()
def _by_embedding(task: Task, batch: Batch, noise: Noise) -> torch.Tensor:
    assert isinstance(task, Compares)
    parts = task.embed(batch, noise)
    return torch.stack([~rows.flatten(1).isfinite().all(1) for rows in parts]).any(0)


def _by_loss(task: Task, batch: Batch, noise: Noise) -> torch.Tensor:
    own = noise.rows or Rows(0, batch.rows, batch.rows)
    totals = [
        loss_of(task, row, noise.of(Rows(own.first + n, 1, own.total))).total.detach()
        for n, row in enumerate(batch.shards(batch.rows))
    ]
    return ~torch.stack(totals).isfinite()

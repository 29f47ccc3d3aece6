"""A batch computed in parts, one after the other, so that it takes the memory of a part: gradient accumulation.

A loss that is a mean over rows is the mean of those of its parts, and so is its gradient. A loss that compares all rows
is not: its embeddings are made part by part without a gradient, the loss of all of them gives the gradient g of each
embedding e, and each part is made once more to carry it on, as the gradient of the sum of e g (Gao et al. 2021,
GradCache, section 3.2). That costs a further forward pass.

Row i draws the random numbers that it has in the whole batch, so the sum is that of the whole batch, up to rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from unclip.core.noise import Noise, Rows
from unclip.core.plugins.returned import returned
from unclip.core.task import Batch, Compares, Losses, Task

Piece = Callable[[], Losses]
"""Computes a part's share of a batch's loss."""


def check_parts(task: Task, batch: int, count: int, workers: int) -> None:
    """Raises ValueError where a task's batch cannot be computed in so many parts by each of so many workers."""
    if count > 1 and batch % (count * workers):
        raise ValueError(
            f"accumulate = {count}: a batch of {batch} cannot be computed by {workers} workers in {count} equal parts "
            f"each; take a batch that is a multiple of {count * workers}"
        )
    if count > 1 and not task.per_sample and not isinstance(task, Compares):
        raise ValueError(
            f"accumulate = {count}: the loss of {type(task).__name__} is no mean over the rows of a batch, so it "
            "cannot be computed in parts; take accumulate = 1 and a smaller batch"
        )


def pieces(task: Task, batch: Batch, noise: Noise, count: int) -> list[Piece]:
    """`count` parts of a batch: the sums of their losses, and of the gradients of these, are those of the batch."""
    if count == 1:
        return [partial(loss_of, task, batch, noise)]
    parts = batch.shards(count)
    streams = list(_streams(noise, batch.rows, count))
    if not task.per_sample:
        assert isinstance(task, Compares)
        return _compared(task, batch, parts, streams)
    return [partial(_share, task, part, stream, count) for part, stream in zip(parts, streams, strict=True)]


def loss_of(task: Task, batch: Batch, noise: Noise) -> Losses:
    """Raises TypeError where a task of a plugin returns something else."""
    return returned(task.loss(batch, noise), Losses, f"{type(task).__name__}.loss")


def added(losses: Sequence[Losses]) -> Losses:
    """Of all pieces; the further figures are those of the last one."""
    return Losses(torch.stack([loss.total.detach() for loss in losses]).sum(), losses[-1].parts)


def _streams(noise: Noise, own: int, count: int) -> Iterator[Noise]:
    """Each part's own numbers of those that these rows would draw together."""
    whole, few = noise.part(own), own // count
    for i in range(count):
        yield noise.of(Rows(whole.first + i * few, few, whole.total))


def _share(task: Task, part: Batch, noise: Noise, count: int) -> Losses:
    losses = loss_of(task, part, noise)
    return Losses(losses.total / count, losses.parts)


def _compared(task: Compares, batch: Batch, parts: list[Batch], streams: list[Noise]) -> list[Piece]:
    with torch.no_grad():
        made = [task.embed(part, stream) for part, stream in zip(parts, streams, strict=True)]
    whole = tuple(torch.cat(rows).requires_grad_() for rows in zip(*made, strict=True))
    with torch.enable_grad():
        found = torch.autograd.grad(task.compare(whole, batch).total, whole)
    pulls = list(zip(*(gradient.chunk(len(parts)) for gradient in found), strict=True))
    # The streams are made anew: each draws once more what it drew above.
    steps = [
        partial(_pulled, task, part, stream.anew(), pull)
        for part, stream, pull in zip(parts, streams, pulls, strict=True)
    ]
    last = tuple(rows.detach() for rows in whole)
    return [*steps[:-1], partial(_last, task, batch, last, steps[-1])]


def _pulled(task: Compares, part: Batch, noise: Noise, pull: Sequence[Tensor]) -> Losses:
    """0, with the gradient of what the embeddings of a part are pulled to."""
    through = sum(
        ((rows * gradient).sum() for rows, gradient in zip(task.embed(part, noise), pull, strict=True)),
        start=torch.zeros((), device=pull[0].device),
    )
    return Losses(through - through.detach())


def _last(task: Compares, batch: Batch, rows: tuple[Tensor, ...], piece: Piece) -> Losses:
    """The last part, with the loss itself, whose own gradient is that of the scale."""
    losses = task.compare(rows, batch)
    return Losses(losses.total + piece().total, losses.parts)

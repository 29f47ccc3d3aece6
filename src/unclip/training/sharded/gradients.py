"""Loss and gradients of a batch by several processes that share out the weights, too."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from unclip.core import processes
from unclip.core.machine import computing
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses, Task
from unclip.training.parts import Piece, added, pieces
from unclip.training.sharded.sharding import Sharding

R = TypeVar("R")


class BySharding:
    """Fills the gradients of the masters with their parts of the mean over all processes.

    The loss is the mean over all; the further figures are those of this process's part. parts: in which each computes
    its share of a batch.
    """

    def __init__(self, task: Task, precision: str, parts: int = 1) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.precision, self.parts = task, precision, parts
        self.device = next(task.parameters()).device.type
        self.sharding = Sharding(task, precision)

    def __call__(self, batch: Batch, noises: Sequence[Noise]) -> Losses:
        (noise,) = noises
        steps = self.inside(lambda: pieces(self.task, batch, noise, self.parts))
        losses = list[Losses]()
        for piece in steps:
            total, parts = self._forward(piece)
            total.backward()
            losses.append(Losses(total.detach(), parts))
        self.sharding.settled()
        return Losses(processes.averaged(added(losses).total), losses[-1].parts)

    def _forward(self, piece: Piece) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        def forward() -> tuple[Tensor, Mapping[str, float | Tensor]]:
            losses = piece()
            return losses.total, losses.parts

        with torch.enable_grad():
            return self.inside(forward)

    def inside(self, work: Callable[[], R]) -> R:
        """Does work that needs the task's weights, in the precision of the training."""
        with computing(self.device, self.precision):
            return self.sharding.inside(work)

    def clip(self, maximum: float) -> Tensor:
        """Scales the gradients to norm `maximum` at the largest; returns the norm before, which may not be finite."""
        return self.sharding.clip(maximum)

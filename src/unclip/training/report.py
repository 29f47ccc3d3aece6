"""What is told of each step of a training."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unclip.core.task import Losses
from unclip.core.untyped import floats
from unclip.core.wide import wide

UNLOGGED = ("parts", "remaining", "share", "lost")


@dataclass(frozen=True)
class Figures:
    """The figures of a step as numbers. norm: of its gradient."""

    loss: float
    norm: float
    parts: dict[str, float]

    @classmethod
    def of(cls, losses: Losses, norm: Tensor) -> "Figures":
        """Reads all of them at once: a GPU is waited for at every reading."""
        scalars = {name: part for name, part in losses.parts.items() if isinstance(part, Tensor)}
        loss, length, *rest = floats(torch.stack([wide(x.detach()) for x in (losses.total, norm, *scalars.values())]))
        read = dict(zip(scalars, rest, strict=True))
        return cls(
            loss, length, {name: read[name] if name in read else float(part) for name, part in losses.parts.items()}
        )


@dataclass(frozen=True)
class Report:
    """What `Trainer.steps` yields after each step.

    Args:
        step: its number (1, 2, ...).
        loss: the loss of its batch.
        parts: further figures of the task, by name.
        grad_norm: the L2 norm of the gradient, before it was clipped.
        lr: the learning rate.
        images_per_s: samples for each second.
        elapsed: seconds of training so far.
        remaining: seconds of training left.
        share: how much of the plan is done, in [0, 1].
        lost: of a step that was skipped, for its loss or gradient is not finite, the rows of its batch whose loss alone
            is not finite; they may be none. None: it was not skipped.
    """

    step: int
    loss: float
    parts: dict[str, float]
    grad_norm: float
    lr: float
    images_per_s: float
    elapsed: float
    remaining: float
    share: float
    lost: tuple[int, ...] | None = None

    def line(self) -> dict[str, Any]:
        """As a line of the log; a figure that is not finite becomes null."""
        metrics = {**{k: v for k, v in vars(self).items() if k not in UNLOGGED}, **self.parts}
        told = {k: v if math.isfinite(v) else None for k, v in metrics.items()}
        return told if self.lost is None else told | {"lost": list(self.lost)}

"""What the trainer knows of a model: a `Task` has a loss on a `Batch`."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float, Ids, Images, Int, Mask, Tokens, Vectors


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A training batch; a task uses the parts that it needs.

    images in [-1, 1]; ids and mask: the caption's tokens; same: equal numbers mark equal captions; labels: the number
    of each picture's class; image_embedding, text_embedding, text_tokens: the frozen CLIP's unit vectors and token
    features; latents: the frozen autoencoder's means and log-variances, stacked.
    """

    images: Images | None = None
    ids: Ids | None = None
    mask: Mask | None = None
    same: Int[Tensor, " b"] | None = None
    labels: Int[Tensor, " b"] | None = None
    image_embedding: Vectors | None = None
    text_embedding: Vectors | None = None
    text_tokens: Tokens | None = None
    latents: Images | None = None

    def shards(self, n: int) -> "list[Batch]":
        """n batches of equal size, in order. Raises ValueError where the size does not allow that."""
        if n == 1:
            return [self]
        parts: list[dict[str, Tensor | None]] = [{} for _ in range(n)]
        for name, value in vars(self).items():
            if value is not None and len(value) % n:
                raise ValueError(f"a batch of {len(value)} cannot be shared by {n} workers; choose a multiple of {n}")
            for part, piece in zip(parts, [None] * n if value is None else value.chunk(n), strict=True):
                part[name] = piece
        return [Batch(**part) for part in parts]

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on another device."""
        parts = {k: None if v is None else v.to(device, non_blocking=True) for k, v in vars(self).items()}
        return Batch(**parts)


@dataclass(frozen=True)
class Losses:
    """total: what is minimised, a scalar. parts: named figures for the log, scalars without gradient."""

    total: Float[Tensor, ""]
    parts: dict[str, float] = field(default_factory=dict)


@runtime_checkable
class Settles(Protocol):
    """A part of a task that gathers what training tells it. Called once a step, when all shards of a batch are done."""

    def settle(self) -> None: ...


@runtime_checkable
class Paced(Protocol):
    """A part of a task that changes on the way. Told before each step what share of the run is behind, in [0, 1]."""

    def pace(self, share: float) -> None: ...


@runtime_checkable
class Task(Protocol):
    """All that the trainer knows of a model. per_sample: the loss is a mean over samples, so a batch can be shared."""

    per_sample: bool

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The loss on a batch, every random number from `noise`."""
        ...

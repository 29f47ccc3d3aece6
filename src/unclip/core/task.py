"""What the trainer knows of a model: a `Task` has a loss on a `Batch`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float, Ids, Images, Int, Mask, Tokens, Vectors


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A training batch. Every part is optional; a task uses those that it needs. b is the batch size.

    A task with an answer of another kind has a batch of its own that inherits from this one and adds tensors, [b, ...].

    Args:
        images: [b, c, h, w] in [-1, 1].
        ids: the token ids of the captions, [b, n].
        mask: which tokens are real, bool [b, n].
        caption_id: equal numbers mark equal captions, [b].
        labels: the class of each image, from 0, [b].
        image_embedding: unit vectors of a frozen CLIP, [b, d].
        text_embedding: unit vectors of a frozen CLIP, [b, d].
        text_tokens: token features of a frozen CLIP, [b, n, width].
        latents: means and log-variances of a frozen autoencoder, stacked along the channels, [b, 2 c, h, w].
    """

    images: Images | None = None
    ids: Ids | None = None
    mask: Mask | None = None
    caption_id: Int[Tensor, " b"] | None = None
    labels: Int[Tensor, " b"] | None = None
    image_embedding: Vectors | None = None
    text_embedding: Vectors | None = None
    text_tokens: Tokens | None = None
    latents: Images | None = None

    @property
    def rows(self) -> int:
        """How many samples it has, b."""
        return next(len(value) for value in vars(self).values() if value is not None)

    def shards(self, n: int) -> "list[Batch]":
        """Splits the batch into n of equal size, in order. Raises ValueError where n does not divide it."""
        if n == 1:
            return [self]
        parts: list[dict[str, Tensor | None]] = [{} for _ in range(n)]
        for name, value in vars(self).items():
            if value is not None and len(value) % n:
                raise ValueError(f"a batch of {len(value)} cannot be shared by {n} workers; choose a multiple of {n}")
            for part, piece in zip(parts, [None] * n if value is None else value.chunk(n), strict=True):
                part[name] = piece
        return [replace(self, **part) for part in parts]

    def to(self, device: torch.device | str) -> "Batch":
        """Moves the batch to another device."""
        parts = {k: None if v is None else v.to(device, non_blocking=True) for k, v in vars(self).items()}
        return replace(self, **parts)


@dataclass(frozen=True)
class Losses:
    """What a task returns for a batch.

    Args:
        total: the loss to minimise, a scalar tensor with a gradient.
        parts: further figures for the log by name: numbers, or scalar tensors, which are read together with the loss.
    """

    total: Float[Tensor, ""]
    parts: Mapping[str, float | Float[Tensor, ""]] = field(default_factory=dict[str, float | Tensor])


@runtime_checkable
class Settles(Protocol):
    """A part of a task that gathers what training tells it. Called once a step, when all shards of a batch are done."""

    def settle(self) -> None: ...


@runtime_checkable
class Paced(Protocol):
    """A part of a task that changes on the way. Told before each step what share of the run is behind, in [0, 1]."""

    def pace(self, share: float) -> None: ...


@runtime_checkable
class Penalized(Protocol):
    """A task whose loss holds a gradient of its networks, so that training differentiates them twice."""

    penalties: tuple[str, ...]
    """The parts of the loss that do."""


@runtime_checkable
class Task(Protocol):
    """All that the trainer knows of a model: an `nn.Module` with a loss on a batch.

    per_sample: whether the loss is a mean over samples; if so, a batch may be split among threads.
    """

    per_sample: bool

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """Computes the loss on a batch; every random number comes from `noise`."""
        ...


@runtime_checkable
class Compares(Protocol):
    """A task whose loss compares all rows of a batch by their embeddings, loss = compare(embed(batch), batch).

    So it can be computed in parts all the same.
    """

    def embed(self, batch: Batch, noise: Noise) -> tuple[Tensor, ...]:
        """What is compared of each row, tensors [b, ...]; made of this row alone."""
        ...

    def compare(self, rows: tuple[Tensor, ...], batch: Batch) -> Losses:
        """The loss of what `embed` made of a batch."""
        ...

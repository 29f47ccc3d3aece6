"""What training does on a GPU alone: float32 that is left in TF32, compiled blocks, batches that are ready in time.

None of it changes what is trained but by rounding. A CPU has none of it: there TF32 does not exist, a compiler
costs more minutes than the training has, and a thread that prepares batches takes the cores that compute.
"""

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from unclip.core.task import Batch, Penalized
from unclip.training.recompute import blocks

VARIANTS = 64
"""Shapes for which a block may be compiled anew: the blocks of a U-Net share their code, and each level has its own."""


@contextmanager
def tf32(place: torch.device, precision: str) -> Generator[None, None, None]:
    """Inside, products of matrices that are left in float32 beside bfloat16 have TF32's 10 bits of mantissa.

    Where float32 was asked for, it is float32.
    """
    kinds: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [kind.allow_tf32 for kind in kinds]
    for kind in kinds if place.type == "cuda" else ():
        kind.allow_tf32 = precision == "bfloat16"
    try:
        yield
    finally:
        for kind, was in zip(kinds, before, strict=True):
            kind.allow_tf32 = was


@contextmanager
def compiled(task: nn.Module, on: bool, backend: str = "inductor") -> Generator[None, None, None]:
    """Inside, each repeated block of the task is compiled by torch (`torch.compile`), the first time that it is called.

    Blocks, because they are most of the work, are compiled in seconds, and blocks of one shape share it. Not those of a
    task that differentiates its networks twice, which compiled code cannot.
    """
    found = list(blocks(task)) if on and not isinstance(task, Penalized) else []
    limit = torch._dynamo.config.recompile_limit if found else 0  # pyright: ignore[reportPrivateImportUsage]
    if found:
        torch._dynamo.config.recompile_limit = max(limit, VARIANTS)  # pyright: ignore[reportPrivateImportUsage]
    for block in found:
        block.forward = torch.compile(block.forward, backend=backend, dynamic=False)
    try:
        yield
    finally:
        for block in found:
            block.__dict__.pop("forward", None)
        if found:
            torch._dynamo.config.recompile_limit = limit  # pyright: ignore[reportPrivateImportUsage]


class Ahead:
    """step -> Batch on the device. On a GPU the batch of the next step is made meanwhile, in memory that it can read
    without waiting; elsewhere each is made when it is asked for. As a context: at its end nothing is being made."""

    def __init__(self, feed: Callable[[int], Batch], place: torch.device, ahead: bool | None = None) -> None:
        self.feed, self.place = feed, place
        self.pool = ThreadPoolExecutor(1) if (place.type == "cuda" if ahead is None else ahead) else None
        self.next: tuple[int, Future[Batch]] | None = None

    def __call__(self, step: int) -> Batch:
        """Raises what the feed raised of this step."""
        if self.pool is None:
            return self.feed(step).to(self.place)
        made = self.next[1] if self.next is not None and self.next[0] == step else self.pool.submit(self._made, step)
        batch = made.result()
        self.next = step + 1, self.pool.submit(self._made, step + 1)
        return batch.to(self.place)

    def _made(self, step: int) -> Batch:
        batch = self.feed(step)
        if self.place.type != "cuda":
            return batch
        parts = {name: _pinned(value) for name, value in vars(batch).items()}
        return replace(batch, **parts)

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)


def _pinned(value: Tensor | None) -> Tensor | None:
    return value.pin_memory() if value is not None and value.device.type == "cpu" else value

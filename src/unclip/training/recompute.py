"""Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost", section 4).

Of each repeated block only the input is kept for the way back, where the block is computed once more: memory of about
one block in the place of all, for a third more time. Random numbers are those of the first time, so the gradient is
the same.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from unclip.core.noise import Noise


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """The repeated blocks: the outermost members of its ModuleLists that are made of parts."""
    for module in model.children():
        if isinstance(module, nn.ModuleList):
            yield from (part for part in module if any(True for _ in part.children()))
        else:
            yield from blocks(module)


@contextmanager
def recomputing(model: nn.Module, on: bool = True) -> Generator[None, None, None]:
    """Inside, the blocks of a model keep only their inputs where there is a gradient."""
    found = list(blocks(model)) if on else []
    for block in found:
        block.forward = _Recomputed(block.forward)
    try:
        yield
    finally:
        for block in found:
            del block.forward


class _Recomputed:
    """A block's forward; on the way back it is called again, with its streams of random numbers where they were."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward

    def __call__(self, *given: object, **named: object) -> object:
        if not torch.is_grad_enabled():
            return self.forward(*given, **named)
        streams = list(_streams((*given, *named.values())))
        began, again = [stream.position for stream in streams], False

        def run(*given: object) -> object:
            nonlocal again
            ended = [stream.position for stream in streams]
            if again:
                _go_to(streams, began)
            out = self.forward(*given, **named)
            if again:
                _go_to(streams, ended)
            again = True
            return out

        return checkpoint(run, *given, use_reentrant=False, preserve_rng_state=False)


def _go_to(streams: Iterable[Noise], positions: Iterable[Any]) -> None:
    for stream, position in zip(streams, positions, strict=True):
        stream.go_to(position)


def _streams(given: Iterable[Any]) -> Iterator[Noise]:
    """The streams among arguments, also those that a dataclass carries."""
    for one in given:
        if isinstance(one, Noise):
            yield one
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            yield from _streams(vars(one).values())

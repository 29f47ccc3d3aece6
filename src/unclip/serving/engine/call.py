"""One evaluation of a network that a job waits for, and how several become one batch.

A network of ours treats the samples of a batch apart, so evaluations of the same network with the same shapes may be
done together, whatever noise level each of them is at: a request joins those that run between any two steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unclip.core.condition import Condition

Part = Tensor | Condition
PATIENCE = 8


@dataclass(eq=False)
class Call:
    """network: what is evaluated. parts: its arguments, each with the batch first. autocast: the caller's precision.
    passed: how often others were evaluated while it waited."""

    network: Callable[..., Tensor]
    parts: tuple[Part, ...]
    autocast: torch.dtype | None = None
    result: Tensor | None = None
    error: BaseException | None = None
    passed: int = 0

    @property
    def rows(self) -> int:
        """Samples in its batch."""
        return len(_tensors(self.parts[0])[0])

    @property
    def key(self) -> tuple[Any, ...]:
        """Calls with the same one may be joined."""
        shapes = tuple((t is None, *(() if t is None else (t.shape[1:], t.dtype))) for p in self.parts for t in _all(p))
        return id(self.network), self.autocast, shapes

    @property
    def device(self) -> str:
        """The kind of device that it is on."""
        return _tensors(self.parts[0])[0].device.type

    @property
    def settled(self) -> bool:
        """Whether it was evaluated."""
        return self.result is not None or self.error is not None

    def value(self) -> Tensor:
        """What the network returned, or raises what it raised."""
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


def autocast_now(device: str) -> torch.dtype | None:
    """The precision that this thread computes in; None: as the tensors are."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def chosen(calls: Sequence[Call]) -> list[Call]:
    """Those that are evaluated next: of the smallest samples, which cost least; of those, the largest batch.

    So a new request is soon through its prior, and where most of the time is spent, in the decoder, goes with the
    others. Were the larger batch first, it would wait in its prior until they are done. None is passed over more than
    `PATIENCE` times.
    """
    groups = dict[Any, list[Call]]()
    for call in calls:
        groups.setdefault(call.key, []).append(call)
    found = min(groups.values(), key=_rank)
    for call in calls:
        call.passed += 1
    return found


def _rank(group: Sequence[Call]) -> tuple[bool, int, int]:
    waits = max(call.passed for call in group) < PATIENCE
    return waits, _tensors(group[0].parts[0])[0][0].numel(), -sum(call.rows for call in group)


def evaluate(calls: Sequence[Call]) -> None:
    """Evaluates calls of one key as one batch, and gives each its rows, or the error."""
    first = calls[0]
    try:
        with torch.no_grad(), torch.autocast(first.device, first.autocast, enabled=first.autocast is not None):
            out = first.network(*(_join(parts) for parts in zip(*(call.parts for call in calls), strict=True)))
        for call, rows in zip(calls, out.split([call.rows for call in calls]), strict=True):
            call.result = rows.clone()  # a row must not keep the whole batch alive
    except Exception as error:
        for call in calls:
            call.error = error


def _join(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    tensors = [part for part in parts if isinstance(part, Tensor)]
    return torch.cat(tensors) if tensors else Condition.cat([part for part in parts if isinstance(part, Condition)])


def _all(part: Part) -> list[Tensor | None]:
    return [part] if isinstance(part, Tensor) else list(vars(part).values())


def _tensors(part: Part) -> list[Tensor]:
    return [tensor for tensor in _all(part) if tensor is not None]

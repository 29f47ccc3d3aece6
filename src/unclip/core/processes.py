"""Several processes that train one model together, as torchrun, accelerate launch or srun start them.

Which one this is, what part of a batch it has, and what they tell each other. Only RANK, WORLD_SIZE, LOCAL_RANK and
MASTER_* are read. Alone, a process has every batch whole, and nothing here costs anything. Messages are JSON and plain
tensors: nothing is pickled.
"""

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor

from unclip.core.noise import Rows, derive
from unclip.core.untyped import (
    floats,
    integers,
    join_processes,
    leave_processes,
    rows_of_processes,
    sum_over_processes,
    tell_all,
)

WANTED = ("RANK", "MASTER_ADDR", "MASTER_PORT")
PATIENCE = timedelta(hours=24)
"""How long one waits for the others: the first one prepares the data and judges stages while they wait."""


def asked(environ: Mapping[str, str]) -> int:
    """How many processes were started. Raises ValueError where the environment says only a part of it."""
    count = _whole(environ, "WORLD_SIZE", "1")
    if count > 1 and (lacks := [name for name in WANTED if name not in environ]):
        raise ValueError(f"WORLD_SIZE = {count}, but {', '.join(lacks)} is not set; start it with torchrun")
    return count


@contextmanager
def joined(environ: Mapping[str, str] = os.environ) -> Generator[None, None, None]:
    """Inside, this process is one of those that the environment names. Raises ValueError as `asked`."""
    count = asked(environ)
    if count == 1 or (dist.is_available() and dist.is_initialized()):
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(_whole(environ, "LOCAL_RANK", "0"))
    rank = _whole(environ, "RANK", "0")
    join_processes("nccl" if cuda else "gloo", rank, count, PATIENCE)
    try:
        yield
    finally:
        leave_processes()


def _whole(environ: Mapping[str, str], name: str, default: str) -> int:
    text = environ.get(name, default)
    if not text.isdecimal():
        raise ValueError(f"{name} = {text!r}: expected a whole number; torchrun sets it")
    return int(text)


def count() -> int:
    """How many processes train together; 1: this one alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if count() > 1 else 0


def leads() -> bool:
    """Whether it is the one that prints, writes and decides."""
    return rank() == 0


def rows(own: int) -> Rows | None:
    """Which rows of a batch its `own` ones are; None: it has the whole batch."""
    return None if count() == 1 else Rows(rank() * own, own, count() * own)


def share(batch: int) -> slice:
    """Its part of the rows of a batch. Raises ValueError where they cannot be shared evenly."""
    check_batch("the batch", batch)
    own = batch // count()
    return slice(rank() * own, (rank() + 1) * own)


def check_batch(name: str, batch: int, parts: int = 1) -> None:
    """Raises ValueError where so many processes cannot share a batch evenly. name: of the setting; parts: in which each
    computes its share."""
    if batch % (count() * parts):
        each = f"{count()} processes" if parts == 1 else f"{count()} processes in {parts} parts each"
        raise ValueError(
            f"{name} = {batch} cannot be shared by {each}; take a multiple of {count() * parts}, or start fewer"
        )


def gathered(own: Tensor) -> Tensor:
    """The rows of all processes, in their order, [count b, ...]; with the gradient of what all make of them."""
    return own if count() == 1 else cast(Tensor, _Gather.apply(own))  # pyright: ignore[reportUnknownMemberType]


def averaged(own: Tensor) -> Tensor:
    """The mean over the processes; no gradient goes through it."""
    return own if count() == 1 else sum_over_processes(own) / count()


def agreed(message: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the first one says, at all of them. message: only its own counts. Waits until it speaks."""
    words = json.dumps(message).encode() if leads() else b""
    size = torch.tensor([len(words)], device=_place())
    tell_all(size)
    text = (
        torch.frombuffer(bytearray(words), dtype=torch.uint8) if leads() else torch.empty(int(size), dtype=torch.uint8)
    )
    text = text.to(_place())
    tell_all(text)
    return json.loads(bytes(text.cpu().numpy()))


def otherwise(words: str) -> list[int]:
    """Which processes say something else than the first one."""
    if count() == 1:
        return []
    said = integers(gathered(torch.tensor([derive(words)], device=_place())))
    return [number for number, one in enumerate(said) if one != said[0]]


def agreed_numbers(numbers: Sequence[float]) -> list[float]:
    """The same of a fixed count of numbers: what every step needs."""
    told = torch.tensor(numbers, dtype=torch.float64, device=_place())
    tell_all(told)
    return floats(told)


def agreed_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first one's tensors, at all of them."""
    kinds = {name: [list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in tensors.items()}
    found = dict[str, Tensor]()
    for name, (shape, kind) in agreed(kinds).items():
        told = tensors[name].detach() if leads() else torch.empty(shape, dtype=getattr(torch, kind))
        told = told.to(_place()).contiguous()
        tell_all(told)
        found[name] = told
    return found


def _place() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


class _Gather(torch.autograd.Function):
    """All rows; back, the sum of what all processes say of this one's rows."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        ctx.rows = slice(rank() * len(own), (rank() + 1) * len(own))
        return rows_of_processes(own)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Tensor:
        return sum_over_processes(grad_outputs[0])[ctx.rows]

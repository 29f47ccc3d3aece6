"""Functions of torch and safetensors that have no types of their own, with types; so only this file is not strict."""
# pyright: basic

import gc
import importlib
import itertools
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch
import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store


def floats(values: Tensor) -> list[float]:
    """The numbers of a list [n] of them."""
    return values.tolist()


def integers(values: Tensor) -> list[int]:
    """The whole numbers of a list [n] of them."""
    return values.tolist()


def norm(x: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """The L2 norm over these dimensions."""
    return torch.linalg.vector_norm(x, dim=dim, keepdim=keepdim)


def solve(a: Tensor, b: Tensor) -> Tensor:
    """The x of a x = b; a: [n, n]."""
    return torch.linalg.solve(a, b)


def log_ndtr(x: Tensor) -> Tensor:
    """The logarithm of the normal distribution function."""
    return torch.special.log_ndtr(x)


def ndtri(x: Tensor) -> Tensor:
    """The quantile of the normal distribution."""
    return torch.special.ndtri(x)


def check_broadcast(*shapes: Sequence[int]) -> None:
    """Raises RuntimeError where these shapes cannot stand beside each other."""
    torch.broadcast_shapes(*shapes)


def on_gradient(x: Tensor, change: Callable[[Tensor], Tensor]) -> None:
    """Changes the gradient that reaches x on the way back."""
    x.register_hook(change)


def forked_generators() -> AbstractContextManager[None]:
    """Inside, torch's global generators may be used; afterwards they are as they were."""
    return torch.random.fork_rng()


def seed_everywhere(seed: int) -> None:
    """Seeds torch's global generators, of every device."""
    torch.manual_seed(seed)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU. Raises SafetensorError where it is none."""
    return safetensors.torch.load_file(path)


def save_tensors(tensors: dict[str, Tensor], path: Path, about: dict[str, str] | None = None) -> None:
    """Writes a safetensors file. about: what its head says of it."""
    safetensors.torch.save_file(tensors, path, about)


def join_processes(backend: str, rank: int, count: int, timeout: timedelta) -> None:
    """Begins torch's group of processes; a process may do so again when it has destroyed the last one."""
    from torch.distributed.distributed_c10d import PrefixStore  # some builds of torch have none of it

    # The functions of this module keep the group that there is when it is imported, for ever: let there be none.
    importlib.import_module("torch.distributed.nn.functional")
    store = PrefixStore(f"unclip{next(_GROUPS)}", _store(rank, count, timeout))
    dist.init_process_group(backend, store=store, timeout=timeout, rank=rank, world_size=count)


_GROUPS = itertools.count()


def leave_processes() -> None:
    """Ends torch's group of processes, and the threads that serve it: one that still lives when Python ends can abort
    the process ("terminate called without an active exception"), after all is done."""
    if "torch.distributed.tensor" in sys.modules:  # weights were shared out; layouts are kept that hold the group
        from torch.distributed.tensor import debug

        clear = getattr(debug, "_clear_sharding_prop_cache", None)  # not of torch's public names: it may go
        if clear is not None:
            clear()
    gc.collect()
    dist.destroy_process_group()


@cache
def _store(rank: int, count: int, timeout: timedelta) -> "Store":
    """Where the processes meet (MASTER_ADDR, MASTER_PORT), for as long as this one lives. Were it made anew for each
    group, one that comes back early would meet what the others still have of the last, and all would wait."""
    from torch.distributed.rendezvous import rendezvous

    return next(rendezvous("env://", rank, count, timeout=timeout))[0]


def tell_all(told: Tensor) -> None:
    """The values of the first process, in all of them."""
    dist.broadcast(told, 0)


def sum_over_processes(own: Tensor) -> Tensor:
    """A copy, added up over all processes."""
    total = own.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def rows_of_processes(own: Tensor) -> Tensor:
    """The rows of all processes, in their order, without a gradient."""
    parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own.contiguous())
    return torch.cat(parts)

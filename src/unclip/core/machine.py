"""What this machine is good at, found by measuring: precision, threads, memory."""

import ctypes
import platform
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
from torch import Tensor

from unclip.core.config.ranges import quote
from unclip.core.watching import during


def prepare_memory(one_arena: bool = False) -> None:
    """Tells glibc to keep large blocks instead of mapping and faulting them afresh at each operation.

    1.1-1.3x on a training step on the CPU (docs/results.md); does nothing where the C library is not glibc.

    one_arena: threads take their memory from one place, so that what one gives back serves the others; where another
    thread than the main one computes.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, 2**30)
    if one_arena:
        libc.mallopt(m_arena_max, 1)


def check_device(device: str) -> None:
    """Raises ValueError where a device is unknown, or not there for this build of torch."""
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device = {quote(device)}: known are cpu, cuda, cuda:1 ..., mps") from error
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind.type not in there:
        raise ValueError(f"device = {quote(device)}: known are cpu, cuda, cuda:1 ..., mps")
    if (kind.index or 0) >= there[kind.type]:
        built = "" if kind.type != "cuda" or torch.version.cuda else f" (torch {torch.__version__} is built for CPUs)"
        raise ValueError(f"device = {quote(device)}: this machine has no such device for torch{built}; take 'cpu'")


def computing(device: torch.device | str, precision: str) -> torch.autocast:
    """Inside, matrices are multiplied in this precision, "float32" or "bfloat16"."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16")


_CHOSEN: ContextVar[str | None] = ContextVar("device", default=None)


@contextmanager
def using(name: str) -> Generator[None, None, None]:
    """Inside, `device` is this one. Raises ValueError where it is not there."""
    check_device(name)
    with during(_CHOSEN, name):
        yield


def device() -> str:
    """The device that was chosen (`using`), else the best at hand: cuda, mps or cpu."""
    if (chosen := _CHOSEN.get()) is not None:
        return chosen
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def free_on(device: str) -> int:
    """Bytes of a device's memory that are free; 0 where torch does not say it."""
    return torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else 0


@cache
def matmul_peak(dtype: torch.dtype, where: str = "cpu", size: int = 1024, seconds: float = 0.3) -> float:
    """Measured matrix-multiplication speed in TFLOP/s (best of the calls that fit in `seconds`)."""
    a = torch.ones(size, size, device=where, dtype=dtype)
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < seconds or best == float("inf"):
        best = min(best, _seconds(a, where))
    return 2 * size**3 / best / 1e12


def _seconds(a: Tensor, where: str) -> float:
    start = time.perf_counter()
    torch.matmul(a, a)
    if where.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


@cache
def best_precision(where: str = "cpu") -> str:
    """`bfloat16` where it multiplies at least twice as fast as float32 here (AMX, GPUs), else `float32`.

    Measured, because a CPU without bf16 units still runs bf16, hundreds of times slower.
    """
    small = 256 if where == "cpu" else 2048
    fast, plain = (matmul_peak(d, where, small, 0.05) for d in (torch.bfloat16, torch.float32))
    return "bfloat16" if fast > 2 * plain else "float32"

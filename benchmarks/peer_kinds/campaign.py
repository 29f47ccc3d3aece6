"""Training a peer for so many minutes, with its averaged weights kept at each mark; stopped and continued at will."""

import json
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unclip.core.disk import atomic, store

from .protocol import Job, Peer

MARKS = (2, 5, 10, 20, 30)
"""Minutes of training after which weights are kept, of a training of 30; of another length in proportion."""
KEPT_EVERY = 60.0
"""Seconds of training between checkpoints."""
STATE, AVERAGE = "peer", "peer's average"


def seconds() -> float:
    """Of a process that computes with one thread, those in which it did: what others do on the machine is not counted.
    With several threads, those of the clock on the wall."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


@dataclass
class Clock:
    """Seconds of training; neither drawing nor checkpoints count. wall: by the clock on the wall."""

    seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_mb: float = 0.0

    def count(self, work: Callable[[], bool]) -> bool:
        start, wall = seconds(), time.perf_counter()
        alive = work()
        self.seconds += seconds() - start
        self.wall_seconds += time.perf_counter() - wall
        self.peak_mb = max(self.peak_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return alive


def train(peer: Peer, job: Job, place: Path, minutes: float) -> Iterator[str]:
    """Goes on until the peer has trained for so many minutes in all; yields lines that say how it stands."""
    clock = _resume(peer, place)
    yield f"{place.name}: at step {peer.step:,}, {clock.seconds / 60:.1f} minutes of training so far"
    alive, begun, kept = True, clock.seconds, clock.seconds
    while alive and clock.seconds < min(60 * minutes, job.seconds):
        before = clock.seconds
        alive = clock.count(lambda: peer.advance(clock.seconds / job.seconds))
        for mark in _passed(job, before, clock.seconds if alive else job.seconds):
            store.save(place / "weights" / mark, AVERAGE, {}, peer.averaged())
            yield f"{place.name}: {mark} minutes, step {peer.step:,}"
        if clock.seconds - kept > KEPT_EVERY:
            kept = clock.seconds
            _keep(peer, place, clock)
    if clock.seconds > begun:
        _keep(peer, place, clock)
    atomic.write_atomic(place / "record.json", json.dumps(_record(peer, job, clock), indent=1))


def marks(job: Job) -> list[str]:
    """The minutes at which weights are kept, as their folders are named."""
    return [f"{mark * job.seconds / 1800:.3g}" for mark in MARKS]


def _passed(job: Job, before: float, now: float) -> list[str]:
    ends = [mark * job.seconds / MARKS[-1] for mark in MARKS]
    return [name for name, end in zip(marks(job), ends, strict=True) if before < end <= now]


def _resume(peer: Peer, place: Path) -> Clock:
    if not store.exists(place / "checkpoint"):
        return Clock()
    stored = store.load(place / "checkpoint", STATE)
    peer.load(stored.tensors, stored.extra["numbers"])
    return Clock(**stored.extra["clock"])


def _keep(peer: Peer, place: Path, clock: Clock) -> None:
    tensors, numbers = peer.state()
    extra = {"numbers": dict(numbers), "clock": vars(clock)}
    store.save(place / "checkpoint", STATE, {}, tensors, extra, before=place / "checkpoint-before")


def _record(peer: Peer, job: Job, clock: Clock) -> dict[str, Any]:
    return {
        "parameters": sum(p.numel() for p in peer.module.parameters()),
        "batch": peer.batch,
        "steps": peer.step,
        "images_per_s": peer.step * peer.batch / max(clock.seconds, 1e-9),
        **vars(clock),
        "planned_seconds": job.seconds,
        "sampler": peer.sampler,
        "sampling": peer.sampling,
        "seed": job.seed,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": processor(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def commit() -> str:
    """The commit of this tree; "" outside git."""
    here = Path(__file__).parent
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
    return done.stdout.strip()


def processor() -> str:
    """The name of the processor, as Linux has it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

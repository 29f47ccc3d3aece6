"""Pictures of a peer at each mark, and of its last one by several numbers of steps, each with the seconds they took."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unclip.core.disk import atomic, store

from .campaign import AVERAGE, marks, seconds
from .protocol import Job, Peer

DRAWN, BATCH = 512, 64
STEPS = (10, 25, 50, 250)
FEWEST = 32
"""Fewer pictures than this are not drawn: no distance could be taken of them."""


def draw_marks(peer: Peer, job: Job, place: Path, most: float) -> Iterator[str]:
    """Draws at each mark that has weights and no pictures yet, the last one first; `most`: seconds for each."""
    for mark in reversed(_reached(job, place)):
        yield from _draw(peer, job, place, mark, peer.sampling, most)


def draw_steps(peer: Peer, job: Job, place: Path, most: float) -> Iterator[str]:
    """Draws by the last weights, with each of `STEPS`."""
    for mark in _reached(job, place)[-1:]:
        for steps in STEPS:
            yield from _draw(peer, job, place, mark, steps, most)


def _reached(job: Job, place: Path) -> list[str]:
    return [mark for mark in marks(job) if store.exists(place / "weights" / mark)]


def _draw(peer: Peer, job: Job, place: Path, mark: str, steps: int, most: float) -> Iterator[str]:
    """Fewer pictures than `DRAWN` where these would take longer than `most` seconds; none where those are too few."""
    about, images = (place / "pictures" / f"{mark}-{steps}.{ending}" for ending in ("json", "npy"))
    if about.exists():
        return
    peer.use(store.load(place / "weights" / mark, AVERAGE).tensors)
    each = _seconds_a_step(peer, job.seed) * steps
    n = min(DRAWN, int(most / each))
    found = {"minutes": float(mark), "steps": steps, "pictures": n if n >= FEWEST else 0, "seconds": each}
    if n >= FEWEST:
        start = seconds()
        seeds = range(job.seed, job.seed + n, BATCH)
        drawn = [peer.draw(min(BATCH, job.seed + n - first), first, steps) for first in seeds]
        found["seconds"] = (seconds() - start) / n
        with atomic.replacing(images) as file:
            np.save(file, np.concatenate(drawn))
    atomic.write_atomic(about, json.dumps(found, indent=1))
    yield f"{place.name}: {mark} minutes, {found['pictures']} pictures of {steps} steps, {found['seconds']:.3g} s each"


def _seconds_a_step(peer: Peer, seed: int) -> float:
    """Of one picture among several, measured."""
    start = seconds()
    peer.draw(8, seed, 2)
    return (seconds() - start) / 16

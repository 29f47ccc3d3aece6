"""What a run tells whoever watches it; only the command line prints."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from unclip.training.report import Report


@dataclass(frozen=True)
class Note:
    """A line of text worth showing once."""

    stage: str
    text: str


@dataclass(frozen=True)
class Progress:
    """After each training step. remaining and share are of the whole run: seconds left, and in [0, 1]."""

    stage: str
    report: Report
    remaining: float
    share: float


@dataclass(frozen=True)
class Working:
    """Within work that is no training: what is being done; remaining: seconds left of it; share: of it, in [0, 1]."""

    stage: str
    what: str
    remaining: float
    share: float


@dataclass(frozen=True)
class ImageSaved:
    """An image was written."""

    stage: str
    path: Path


@dataclass(frozen=True)
class Gate:
    """How a stage ended: pass or fail, the figures, and why."""

    stage: str
    passed: bool
    why: str
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stopped:
    """The run was asked to stop; all is saved, the same command continues."""

    stage: str


Event = Note | Progress | Working | ImageSaved | Gate | Stopped


def working(stage: str, what: str, done: int, total: int, start: float) -> Working:
    """`done` of `total` equal pieces of work, at their mean speed since `start` (of `time.monotonic`)."""
    left = (time.monotonic() - start) / done * (total - done)
    return Working(stage, what, left, done / total)

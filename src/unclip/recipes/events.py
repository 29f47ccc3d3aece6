"""What a run tells whoever watches it; only the command line prints."""

from dataclasses import dataclass, field
from pathlib import Path

from unclip.train.trainer import Report


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
class Drawn:
    """A picture was written."""

    stage: str
    path: Path


@dataclass(frozen=True)
class Gate:
    """How a stage ended: pass or fail, the figures, and why."""

    stage: str
    passed: bool
    why: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stopped:
    """The run was asked to stop; all is saved, the same command continues."""

    stage: str


Event = Note | Progress | Drawn | Gate | Stopped

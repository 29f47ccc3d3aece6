"""The model of a run, for a command: a process of its own, whose memory may be tuned (`unclip.load` tunes nothing)."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from unclip.generation.base import ImageModel

    M = TypeVar("M", bound=ImageModel)
else:
    M = TypeVar("M")  # torch is imported when a model is opened, not before


def open_model(run: Path, kind: type[M]) -> M:
    """The model that a finished run folder holds. Raises ValueError as `unclip.load` does."""
    from unclip.core.machine import prepare_memory
    from unclip.generation.load import load

    prepare_memory()
    return load(run, kind=kind)

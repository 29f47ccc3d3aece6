"""Memory and disk of the run to come, from what the self-test took, and what grows with the data."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from unclip.recipes.settings.run import RunConfig
from unclip.runs.folder import RunFolder
from unclip.studies.doctor.forecast import StageForecast

try:
    import resource
except ImportError:  # Windows
    resource = None

ROW = 400
"""Bytes in memory of an image's name, digest and captions."""
GROUPS = ("prepared images", "checkpoints", "weights", "embeddings", "samples and logs")


def peak() -> int | None:
    """The most memory that this process has taken so far, bytes; None where the system does not tell."""
    if resource is None:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def memory(run: RunFolder, images: int, prepared: int, size: int) -> int | None:
    """Bytes at the peak of the run: those of the self-test, and of the images that it did not have.

    Prepared images are read through a map, whose pages count; embeddings and codes lie in memory.
    """
    seen, more = peak(), max(0, images - prepared)
    if seen is None:
        return None
    kept = sum(bytes_of(run.checkpoints / name) for name in ("embeddings", "latents"))
    return seen + more * (3 * size**2 + ROW + kept // max(1, prepared))


def disk(
    run: RunFolder,
    config: RunConfig,
    stages: list[StageForecast],
    images: int,
    prepared: int,
    rows: Mapping[str, float],
) -> dict[str, int]:
    """Group -> bytes of the finished run folder.

    rows: stage -> how many times as large its previews are as those of the self-test.
    """
    times, steps = images / max(1, prepared), {stage.stage: stage.steps for stage in stages}
    kept = sum(bytes_of(run.checkpoints / name) for name in ("embeddings", "latents"))
    checkpoints = sum(
        bytes_of(run.checkpoint(stage.stage)[0]) * (2 if stage.seconds > config.checkpoint_seconds else 1)
        for stage in stages
    )
    weights = bytes_of(run.early) + sum(bytes_of(run.root / name) for name in config.stages)
    previews = {path: rows.get(path.stem.rpartition("-")[0], 1.0) for path in run.samples.glob("*.png")}
    samples = sum(path.stat().st_size * more for path, more in previews.items()) + bytes_of(run.plots)
    logs = sum(
        bytes_of(run.logs / f"{name}.jsonl") * count / lines(run.logs / f"{name}.jsonl")
        for name, count in steps.items()
    )
    sizes = (bytes_of(run.data) * times, checkpoints, weights + bytes_of(run.tokenizer), kept * times, samples + logs)
    return {name: round(size) for name, size in zip(GROUPS, sizes, strict=True)}


def lines(path: Path) -> int:
    """Of a log; at least 1."""
    return max(1, path.read_bytes().count(b"\n")) if path.exists() else 1


def bytes_of(path: Path) -> int:
    """Of a file, or of all files below a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0


def free(path: Path) -> int:
    """Bytes that may still be written where this path lies, or will lie."""
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free

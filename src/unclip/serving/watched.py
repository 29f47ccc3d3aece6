"""Runs that the page shows while they train: read from their folders, never written to."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log

POINTS = 200
"""Points of a curve: each the mean of as many steps as that takes."""
REPORT = "report.html"


class Watched:
    """Name -> run; one whose name is taken has that of the folder around it, too. Raises ValueError for a folder that
    does not exist."""

    def __init__(self, runs: Mapping[str, Path], more: Sequence[str | Path]) -> None:
        self._runs = {name: RunFolder(folder) for name, folder in runs.items()}
        for path in map(Path, more):
            if not path.is_dir():
                raise ValueError(f"--watch {path}: there is no such folder; name that of a run, finished or not")
            if not any(run.root.samefile(path) for run in self._runs.values()):
                self._runs[self._name(path.resolve())] = RunFolder(path)

    def _name(self, path: Path) -> str:
        longer = (" of ".join(path.parts[: -count - 1 : -1]) for count in range(1, len(path.parts)))
        return next(name for name in longer if name not in self._runs)

    @property
    def names(self) -> list[str]:
        """Of all runs."""
        return list(self._runs)

    def status(self, name: str) -> dict[str, Any] | None:
        """What is known of a run now; None: there is no such one. Raises ValueError where its files are damaged."""
        run = self._runs.get(name)
        if run is None:
            return None
        state = run.state()
        return {
            "name": name,
            "data": state.get("data", {}).get("why", ""),
            "stages": [_stage(run, stage, state.get(stage)) for stage in (*run.stages, *run.added)],
            "images": list(self._images(run)),
            "reports": list(self._reports(run)),
        }

    def image(self, name: str, file: str) -> Path | None:
        """The file of one of its images, by a name that `status` lists."""
        return self._images(self._runs[name]).get(file) if name in self._runs else None

    def report(self, name: str, split: str) -> Path | None:
        """The report of a split, by a name that `status` lists."""
        return self._reports(self._runs[name]).get(split) if name in self._runs else None

    def _images(self, run: RunFolder) -> dict[str, Path]:
        found = sorted(run.samples.glob("*.png"), key=lambda path: path.stat().st_mtime)
        return {path.name: path for path in found}

    def _reports(self, run: RunFolder) -> dict[str, Path]:
        return {path.parent.name: path for path in sorted(run.evaluation.glob(f"*/{REPORT}"))}


def _stage(run: RunFolder, name: str, record: Mapping[str, Any] | None) -> dict[str, Any]:
    lines = list(read_log(run.logs / f"{name}.jsonl"))
    last = lines[-1] if lines else {}
    return {
        "name": name,
        "state": "finished" if record else ("training" if lines else "waiting"),
        "passed": record.get("passed") if record else None,
        "why": str(record.get("why", "")) if record else "",
        "steps": last.get("step", 0),
        "images_per_s": last.get("images_per_s", 0),
        "curve": [[round(step), loss] for step, loss in curve(lines)],
    }


def curve(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[float, float]]:
    """(step, loss), at most `POINTS` of them, each the mean of its steps; what is not a number is left out."""
    pairs = [(line["step"], line["loss"]) for line in lines if isinstance(line.get("loss"), int | float)]
    finite = [(step, loss) for step, loss in pairs if abs(loss) < float("inf")]
    size = max(1, -(-len(finite) // POINTS))
    for part in (finite[i : i + size] for i in range(0, len(finite), size)):
        yield sum(step for step, _ in part) / len(part), sum(loss for _, loss in part) / len(part)

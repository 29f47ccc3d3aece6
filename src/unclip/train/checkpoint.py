"""A training's state on disk, so that a killed run continues as if nothing had happened."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unclip.core import store
from unclip.train.trainer import TrainConfig, Trainer

KIND = "Checkpoint"


def save_checkpoint(path: Path, trainer: Trainer) -> None:
    """Writes weights, their average, optimiser, step, clock and plan; atomic."""
    tensors, numbers = trainer.state()
    store.save(path, KIND, _belongs(trainer), tensors, numbers)


def load_checkpoint(path: Path, trainer: Trainer) -> bool:
    """Continues from `path` if there is one; says whether there was.

    Raises ValueError where the checkpoint is damaged or belongs to other settings.
    """
    store.recover(path)
    if not path.exists():
        return False
    stored = store.load(path, KIND)
    if _completed(stored.config) != _belongs(trainer):
        raise ValueError(f"{path}: made with other training settings; use those of its run.toml, or another --out")
    trainer.load(stored.tensors, stored.extra)
    return True


def _belongs(trainer: Trainer) -> dict[str, Any]:
    """What a checkpoint must share with the trainer that continues it."""
    shared = {name: getattr(trainer, name) for name in ("seed", "precision", "workers")}
    return {"config": trainer.config.to_dict(), **shared}


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    """What an earlier version wrote, with the defaults of the settings that came later."""
    return {**stored, "config": TrainConfig.from_dict(stored["config"]).to_dict()}


class Log:
    """JSON lines, one a logged step. Continuing at step n drops what a lost part of the run wrote after n."""

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_log(path) if line["step"] <= step]
        store.write_atomic(path, "".join(json.dumps(line) + "\n" for line in kept))
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, line: dict[str, Any]) -> None:
        """Appends one line."""
        self.file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Closes the file."""
        self.file.close()


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a log; a line cut by a kill is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue

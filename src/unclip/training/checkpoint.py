"""A training's state on disk, so that a killed run continues as if nothing had happened."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unclip.core.disk import atomic, store
from unclip.training.trainer import TrainConfig, Trainer

KIND = "Checkpoint"
RATES = ("lr", "muon_lr")
"""Of the optimiser's settings, those that may change on the way."""
MEMORY = ("accumulate", "activation_checkpointing")
"""Of a training's settings, those that change only what memory it takes."""
MACHINE = ("device", "workers", "precision")
"""What a run may be continued with that was begun with another: the sums are then rounded in other places."""


def save_checkpoint(places: tuple[Path, Path], trainer: Trainer) -> None:
    """Writes a checkpoint of a trainer in one step: a process that is killed leaves the old one or the new one.

    Args:
        places: the folder to write, and the one to which the checkpoint before it is moved.
        trainer: whose weights, their average, optimiser, step, clock and plan are saved.
    """
    tensors, numbers = trainer.state()
    store.save(places[0], KIND, _about(trainer), tensors, numbers, before=places[1])


def load_checkpoint(places: tuple[Path, Path], trainer: Trainer) -> Iterator[str]:
    """Continues from the last checkpoint if there is one, and yields lines of text that say so.

    Where the last one is damaged, it takes the one before. Raises ValueError where the checkpoint belongs to other
    settings.

    Args:
        places: the two folders of `save_checkpoint`.
        trainer: what is continued.
    """
    for place in places:
        atomic.recover(place)
    damaged: list[Path] = []
    for place in (place for place in places if store.exists(place)):
        try:
            changes = _load(place, trainer)
        except store.Damaged as error:
            damaged.append(place)
            yield f"{error}; goes on without it"
        else:
            for other in damaged:  # else it would take the place of the whole one at the next save
                atomic.remove(other)
            yield f"continues at step {trainer.step}"
            yield from changes
            return


def _load(path: Path, trainer: Trainer) -> list[str]:
    """Continues from it; returns what is not as it was, in words."""
    stored, now = store.load(path, KIND), _about(trainer)
    before = _completed(stored.config)
    if _fixed(before) != _fixed(now):
        raise ValueError(f"{path}: made with other training settings; use those of its run.toml, or another --out")
    trainer.load(stored.tensors, stored.extra)
    rates = [_change(name, before["config"]["optim"], now["config"]["optim"]) for name in RATES]
    machine = [_change(name, before, now) for name in MACHINE]
    told = [f"goes on with another learning rate: {', '.join(filter(None, rates))}"] if any(rates) else []
    if any(machine):
        told.append(f"goes on in another way ({', '.join(filter(None, machine))}): no longer bit for bit as before")
    return told


def _change(name: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    return f"{name} = {now[name]} after {before[name]}" if before[name] != now[name] else ""


def check_room(places: tuple[Path, Path], trainer: Trainer) -> None:
    """Raises ValueError where the disk has no room for the two that are kept and the one that is being written."""
    each = 4 * store.size(trainer.module.state_dict())  # the weights, their average, the optimiser's two moments
    atomic.check_room(places[0], (3 - sum(map(store.exists, places))) * each)


def _about(trainer: Trainer) -> dict[str, Any]:
    """What a checkpoint was made with."""
    return {"config": trainer.config.to_dict(), **{name: getattr(trainer, name) for name in ("seed", *MACHINE)}}


def _fixed(about: dict[str, Any]) -> dict[str, Any]:
    """What a trainer must share with the checkpoint that it continues: all but rates, memory and machine.

    Whether there is a rate for Muon at all decides which moments there are.
    """
    optim = about["config"]["optim"]
    kept = {k: v for k, v in optim.items() if k not in RATES} | {"muon": optim["muon_lr"] > 0}
    own = {k: v for k, v in about["config"].items() if k not in MEMORY}
    return {"config": {**own, "optim": kept}, "seed": about["seed"]}


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    """What an earlier version wrote, with the defaults of the settings that came later."""
    machine = {name: stored.get(name) for name in MACHINE}
    return {**stored, **machine, "config": TrainConfig.from_dict(stored["config"]).to_dict()}


class Log:
    """JSON lines, one a logged step. Continuing at step n drops what a lost part of the run wrote after n."""

    def __init__(self, path: Path, step: int) -> None:
        kept = [line for line in read_log(path) if line["step"] <= step]
        atomic.write_atomic(path, "".join(json.dumps(line) + "\n" for line in kept))
        self.path, self.file = path, path.open("a", encoding="utf-8", buffering=1)

    def write(self, line: dict[str, Any]) -> None:
        """Appends one line. Raises ValueError where the disk is full."""
        text = json.dumps(line) + "\n"
        with atomic.room_told(self.path, len(text)):
            self.file.write(text)

    def close(self) -> None:
        """Closes the file."""
        self.file.close()


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a log; a line cut by a kill is left out, and what is not a line of ours."""
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            yield line

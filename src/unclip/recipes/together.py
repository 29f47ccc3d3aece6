"""A run that several processes train: the first one does all of it, the others take part in the steps of its stages.

The first prepares the data, draws, judges, prints and writes. Before a stage's first step it tells the others which
stage that is and where it stands; they build the same one from the run's folder, which all of them must see, and train
until it says that there is no further step.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unclip.core import machine, processes
from unclip.core.signals import stopping
from unclip.data.prepare.read import load_prepared
from unclip.recipes.context import Context
from unclip.recipes.settings.run import stored_config
from unclip.recipes.stage_run import StageRun
from unclip.runs.folder import RunFolder


@contextmanager
def leading() -> Iterator[None]:
    """Inside, the first process trains a run; after it the others are told to end."""
    yield
    if processes.count() > 1:
        processes.agreed({"stage": None})


def follow(run: RunFolder) -> None:
    """What every process but the first does: takes part in each stage until there is none.

    Ctrl-C and SIGTERM are for the first one, which saves. Raises ValueError where the run's folder is not here, and
    where the first process has ended with an error.
    """
    with stopping():
        machine.prepare_memory()
        while (told := _heard())["stage"] is not None:
            _take_part(run, told["stage"], told["numbers"])


def _heard() -> dict[str, Any]:
    try:
        return processes.agreed()
    except RuntimeError as error:  # its connection is gone
        raise ValueError(f"process {processes.rank()}: the first process has ended; it says why") from error


def _take_part(run: RunFolder, name: str, numbers: dict[str, float | int | None]) -> None:
    if not run.settings.exists():
        raise ValueError(
            f"{run.root}: is not there on {socket.gethostname()} (process {processes.rank()}); all processes must see "
            "the run's folder: put --out on a disk that the machines share"
        )
    config = stored_config(run.settings)
    ctx = Context(run, config, load_prepared(run.data), machine.device(), config.precision)
    trainer = StageRun(ctx, name).trainer
    trainer.load(processes.agreed_tensors({}), numbers)
    for _ in trainer.steps():
        pass

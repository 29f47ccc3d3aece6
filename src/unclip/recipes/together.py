"""A run that several processes train: the first one does all of it, the others take part in the steps of its stages.

The first prepares the data, draws, judges, prints and writes. Before a stage's first step it tells the others which
stage that is and where it stands; they build the same one from the run's folder, which all of them must see, and train
until it says that there is no further step.
"""

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from unclip.core import machine, processes
from unclip.core.signals import stopping
from unclip.data.prepare.read import load_prepared
from unclip.recipes.context import Context
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.stage_run import StageRun
from unclip.runs.folder import RunFolder


@contextmanager
def together(run: RunFolder, asked: str) -> Iterator[bool]:
    """Where several processes were started all take part in the training of a run; inside: whether this one leads it.

    The others come inside when it is over. asked: what this process was asked for, in words. Raises ValueError where
    they were asked for different things, and where one of them has ended.
    """
    with processes.joined():
        if others := processes.otherwise(asked):
            raise ValueError(
                f"of {processes.count()} processes, number {', '.join(map(str, others))} was started with other "
                "options (or other UNCLIP_ variables) than number 0; give all of them the same command"
            )
        if not processes.leads():
            follow(run)
            yield False
            return
        try:
            with leading():
                yield True
        except RuntimeError as error:
            if processes.count() > 1 and GONE.search(str(error)):
                raise ValueError("another process has ended, and with it the training; it says why") from error
            raise


GONE = re.compile("[Cc]onnection (closed|reset)|[Bb]roken pipe|NCCL")
"""What torch says where a process that it waits for is gone."""


@contextmanager
def leading() -> Iterator[None]:
    """Inside, the first process trains a run; after it the others are told to end."""
    yield
    if processes.count() > 1:
        processes.agreed({"stage": None})


def check_shared(config: RunConfig, stages: Iterable[str]) -> None:
    """Raises ValueError where the processes cannot share a batch of one of these stages evenly."""
    for name in stages:
        train = config.recipes[name].train
        processes.check_batch(f"{name}.train.batch", train.batch, train.accumulate)


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
    if not (run.data / "prepared.json").exists():
        raise ValueError(
            f"{run.data}: the run's images are not there on {socket.gethostname()} (process {processes.rank()}); all "
            "processes must see the whole folder of the run: put --out on a disk that the machines share"
        )
    config = stored_config(run.settings)
    ctx = Context(run, config, load_prepared(run.data), machine.device(), config.precision)
    trainer = StageRun(ctx, name).trainer
    trainer.load(processes.agreed_tensors({}), numbers)
    for _ in trainer.steps():
        pass

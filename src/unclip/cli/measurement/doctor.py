"""`unclip doctor`: advice before an hour is spent."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.options import SPLIT, TrainOptions
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import FAILED, STOPPED, guarded

if TYPE_CHECKING:
    from rich.table import Table

    from unclip.studies.doctor.study import Forecast


@guarded
@on_device
def doctor(
    data: Annotated[
        str, Parameter(help="A folder of captioned images (--model ddpm: of images), or `shapes` for drawn ones.")
    ],
    /,
    *,
    given: TrainOptions = TrainOptions(),
    split: Annotated[str, Parameter(help=SPLIT)] = "train",
    json: Annotated[Path | None, Parameter(help="Where to write all of it, too.")] = None,
) -> None:
    """Look at data and settings before they are trained on: opinions, a self-test of a minute, what a run will take.

    Takes what `unclip train` takes, and means the same run. Every stage is trained on a
    few of the images in a temporary folder; nothing else is written. The exit code is 1
    where a part of the self-test fails.
    """
    if json is not None:
        check_file(json, "--json")
    from unclip.cli.arguments.settings import layers
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import shown
    from unclip.cli.training.train import settled
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.disk.store import to_json
    from unclip.core.signals import stopping
    from unclip.studies.doctor.study import examine

    if json is not None:
        check_written(json)
    console = stdout()
    with stopping() as stop:
        source, config = settled(data, given, split, layers(given, os.environ))
        found = shown(examine(source, config, stop), console)
    if found is None:
        console.print("stopped; nothing is left behind")
        raise SystemExit(STOPPED)
    if found.forecast is not None:
        console.print(stages_table(found.forecast))
        console.print(whole_table(found.forecast))
    if json is not None:
        write_atomic(json, to_json(found.as_dict()))
    if not found.sound:
        raise SystemExit(FAILED)


def stages_table(forecast: "Forecast") -> "Table":
    """A row a stage."""
    from rich.table import Table

    from unclip.core.config.duration import words

    sheet = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("stage", "time", "s a step", "steps", "passes an image", "expect"):
        sheet.add_column(head, justify="left" if head in ("stage", "expect") else "right", no_wrap=True)
    for stage in forecast.stages:
        figures = (words(stage.seconds), f"{stage.step:.3g}", f"{stage.steps:,}", f"{stage.passes:,.3g}")
        sheet.add_row(stage.stage, *figures, stage.expect)
    return sheet


def whole_table(forecast: "Forecast") -> "Table":
    """The run as a whole: time, memory, disk."""
    from rich.table import Table

    from unclip.core.config.duration import words
    from unclip.core.disk.atomic import in_words

    sheet = Table(box=None, pad_edge=False, show_header=False)
    times = {"preparation": forecast.preparation, "training": forecast.training, "samples and gates": forecast.judging}
    rows = [(name, words(seconds)) for name, seconds in (*times.items(), ("in all", forecast.total))]
    rows += [] if forecast.memory is None else [("memory at the peak", in_words(forecast.memory))]
    disk = ", ".join(f"{name} {in_words(count)}" for name, count in forecast.disk.items() if count)
    rows += [("disk", f"{in_words(sum(forecast.disk.values()))} ({disk}); free: {in_words(forecast.free)}")]
    for row in rows:
        sheet.add_row(*row)
    return sheet

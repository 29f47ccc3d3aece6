"""`unclip doctor`: advice before an hour is spent."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.options import SPLIT, TrainOptions
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import FAILED, STOPPED, guarded


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
    from unclip.cli.screen.forecast_tables import show_forecast
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
        show_forecast(found.forecast, console)
    if json is not None:
        write_atomic(json, to_json(found.as_dict()))
    if not found.sound:
        raise SystemExit(FAILED)

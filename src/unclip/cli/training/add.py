"""`unclip add`: a further stage on a finished run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import OwnRun
from unclip.cli.arguments.options import SPLIT, ReadOptions
from unclip.cli.errors import guarded

if TYPE_CHECKING:
    from unclip.data.source import Source
    from unclip.recipes.settings.run import RunConfig


@guarded
@on_device
def add(
    stage: Annotated[str, Parameter(help="What to train; a wrong name lists what this run takes.")],
    data: Annotated[
        str | None, Parameter(help="The run's data again, where the stage wants them larger than the run kept them.")
    ] = None,
    /,
    *,
    run: Annotated[OwnRun, Parameter(help="A finished run folder.")],
    budget: Annotated[
        str | None,
        Parameter(help="Time for this stage, with its unit; by default a share of the run's. Example: --budget 10m"),
    ] = None,
    size: Annotated[
        int | None,
        Parameter(help="Side of an upsampler's images in pixels; twice that of those before it. Example: --size 128"),
    ] = None,
    split: Annotated[str, Parameter(help=SPLIT)] = "train",
    how: ReadOptions = ReadOptions(),
    set: Annotated[
        list[str] | None,
        Parameter(
            help="A setting of the stage, as classifier.train.batch=16; may be repeated.",
            negative="",
            consume_multiple=False,
        ),
    ] = None,
    restart: Annotated[
        bool, Parameter(help="Train it again from nothing; the old one stays until then.", negative="")
    ] = False,
) -> None:
    """Train a further stage on a finished run, such as the classifier that can guide a ddpm with classes.

    Ctrl-C saves and ends; the same command continues.
    """
    said = [*(set or []), *([] if size is None else [f"{stage}.size={size}"])]

    def opened(config: "RunConfig") -> "Source | None":
        return None if data is None else open_run_data(data, run, config, split, how)

    raise SystemExit(train_added(run, stage, budget, said, restart, opened))


def train_added(
    run: Path,
    stage: str,
    budget: str | None,
    said: list[str],
    restart: bool,
    opened: Callable[["RunConfig"], "Source | None"] = lambda config: None,
) -> int:
    """Trains a stage of a finished run on the screen; returns the exit code.

    said: its settings, as `--set` takes them. opened: the run's data at their source, where they were named.
    """
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import follow
    from unclip.cli.training.train import together
    from unclip.core.signals import stopping
    from unclip.recipes.add import add_stage
    from unclip.runs.folder import RunFolder

    folder = RunFolder(run)
    folder.require()
    with together(run), folder.writing(), stopping() as stop:
        config = choose(run, stage, budget, said, restart)
        source = opened(config)
        if restart:
            folder.forget(stage)
        return follow(add_stage(run, stage, config, stop, source), stdout())


def choose(run: Path, stage: str, budget: str | None, said: list[str], restart: bool) -> "RunConfig":
    """The run's settings with those of the stage.

    Raises ValueError for settings of something else, or other ones than a stage was begun with (unless `restart`).
    """
    from unclip.cli.arguments import settings
    from unclip.core.config.duration import seconds
    from unclip.core.disk import store
    from unclip.recipes.add import with_stage
    from unclip.recipes.settings.recipe import default_recipe
    from unclip.recipes.settings.run import read_settings
    from unclip.runs.folder import RunFolder

    config, folder = with_stage(run, stage), RunFolder(run)
    added = stage in read_settings(folder.settings).get("added", [])
    begun = added and (stage in folder.state() or any(store.exists(path) for path in folder.checkpoint(stage)))
    layers = [settings.assignment(text, "--set") for text in said]
    for layer in layers:
        if list(layer.table) != [stage]:
            raise ValueError(
                f"--set {next(iter(layer.table))}: here only settings of {stage} can be given, as {stage}.share=0.2"
            )
    if budget is not None:
        layers.append(
            settings.SettingsLayer(
                "--budget", {stage: {"share": seconds(budget) / config.budget, "train": {"steps": 0}}}
            )
        )
    if begun and not restart:
        settings.check_same(config, layers, run, "train it again with --restart")
    if restart or not begun:  # what was said of an attempt that never got to train does not count
        config = config.using(**{stage: default_recipe(stage)})
    config = settings.resolve(config, layers)
    settings.check_fit(config, layers)
    return config


def open_run_data(data: str, run: Path, config: "RunConfig", split: str, how: ReadOptions = ReadOptions()) -> "Source":
    """The run's data at their source. Raises ValueError where these are other data."""
    from unclip.cli.arguments.data import open_again
    from unclip.data.prepare.identity import is_prepared
    from unclip.runs.folder import RunFolder

    source = open_again(data, config, split, how)
    if not is_prepared(source, RunFolder(run).data, config.captioned):
        raise ValueError(f"{data}: {run} was trained on other data (or an image or a caption has changed since)")
    return source

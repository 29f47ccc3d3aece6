"""`unclip train`: from images to a model."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.options import SPLIT, TrainOptions
from unclip.cli.arguments.output import check_folder
from unclip.cli.arguments.start import Beginning
from unclip.cli.errors import guarded
from unclip.core.shown import shell_command

if TYPE_CHECKING:
    from unclip.cli.arguments.settings import SettingsLayer
    from unclip.data.source import Source
    from unclip.recipes.settings.run import RunConfig
    from unclip.recipes.start.asked import Start


@guarded
@on_device
def train(
    data: Annotated[
        str, Parameter(help="A folder of captioned images (--model ddpm: of images), or `shapes` for drawn ones.")
    ],
    /,
    *,
    out: Annotated[Path, Parameter(help="The run folder; one that is unfinished is continued.")],
    given: TrainOptions = TrainOptions(),
    begin: Beginning = Beginning(),
    split: Annotated[str, Parameter(help=SPLIT)] = "train",
    force: Annotated[bool, Parameter(help="Go on after a stage that did not pass.", negative="")] = False,
    more: Annotated[
        str | None,
        Parameter(help="Train a finished run on for so long, each stage from its end. Example: --more 30m"),
    ] = None,
    dry_run: Annotated[
        bool, Parameter(help="Tell what would be trained and what it would take; write nothing.", negative="")
    ] = False,
) -> None:
    """Train a model on a folder of captioned images; with --model ddpm, vae, flow or gan, of images alone.

    Ctrl-C saves and ends; the same command continues. With `torchrun --nproc-per-node 8 -m unclip train ...` eight
    processes share each batch (docs/processes.md). Settings, the later wins:
    preset, settings file, environment (UNCLIP_MODEL, UNCLIP_BUDGET, UNCLIP_SIZE, UNCLIP_SEED,
    UNCLIP_PRECISION, UNCLIP_BACKGROUND, UNCLIP_SET="a.b=1,c.d=2"), options.
    """
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import follow
    from unclip.core.config.duration import length
    from unclip.core.signals import stopping
    from unclip.recipes import run
    from unclip.runs.folder import RunFolder

    longer = None if more is None else length(more, "--more")
    if dry_run:
        raise SystemExit(foretell(*choose(data, out, given, split, os.environ, begin), out, longer))
    with together(out), RunFolder(out).writing(), stopping() as stop:
        source, config = choose(data, out, given, split, os.environ, begin)
        code = follow(run.train_stages(source, out, config, stop, force, longer), console := stdout(), force)
    if code == 0:
        words = ["a prompt"] if config.reads_captions else []
        console.print(f"done: {shell_command('unclip', 'generate', *words, '--run', out)}")
    raise SystemExit(code)


def foretell(source: "Source", config: "RunConfig", out: Path, longer: float | None) -> int:
    """What `unclip doctor` measures, of this run; returns the exit code. Raises ValueError for what it cannot tell."""
    from unclip.cli.errors import FAILED, STOPPED
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.forecast_tables import show_forecast
    from unclip.cli.screen.progress import shown
    from unclip.core import processes
    from unclip.core.signals import stopping
    from unclip.runs.folder import RunFolder
    from unclip.studies.doctor.study import examine

    if longer is not None:
        raise ValueError("--dry-run: tells of a run from its first step; leave --more out")
    if config.lora:
        raise ValueError(f"--dry-run: tells of a training of all weights; leave --lora {config.lora} out")
    if processes.asked(os.environ) > 1:
        raise ValueError("--dry-run: is measured by one process; start it without torchrun")
    console = stdout()
    with stopping() as stop:
        found = shown(examine(source, config, stop, out), console)
    if found is None:
        console.print(f"stopped; nothing was written to {out}")
        return STOPPED
    if found.forecast is None:
        return FAILED  # its self-test has said why no step was taken
    show_forecast(found.forecast, console)
    if finished := RunFolder(out).state():
        console.print(f"{out} has finished of these: {', '.join(name for name in config.stages if name in finished)}")
    console.print(f"nothing was written to {out}; the same command without --dry-run trains")
    return 0


@contextmanager
def together(out: Path) -> Iterator[None]:
    """Where several processes were started, all take part in the training; only the first one goes on inside.

    Raises ValueError where they cannot be one training, and SystemExit in the others when it is over.
    """
    from unclip.recipes import together
    from unclip.runs.folder import RunFolder

    named = (f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("UNCLIP_"))
    with together.together(RunFolder(out), shell_command(*sys.argv[1:], *named)) as leads:
        if not leads:
            raise SystemExit(0)
        yield


def choose(
    data: str,
    out: Path,
    given: TrainOptions,
    split: str,
    environ: Mapping[str, str],
    begin: Beginning = Beginning(),
) -> "tuple[Source, RunConfig]":
    """The data and the settings of a new run, or those of the run that `out` holds.

    Raises ValueError where something was asked for that differs from what the run was begun with.
    """
    from unclip.cli.arguments import settings
    from unclip.recipes.settings.run import stored_config
    from unclip.recipes.start.origin import check_apart, check_begun
    from unclip.runs.folder import RunFolder

    run, start = RunFolder(out), begin.start
    said = [*begin.layers(), *settings.layers(given, environ)]
    if start is not None:
        check_apart(start, out)
    if run.settings.exists() and run.begun:
        if start is not None:
            check_begun(stored_config(run.settings), start, out)
        return _begun(data, run.root, given, split, said)
    if start is not None:
        return _started(data, given, split, said, begin.asked)
    return settled(data, given, split, said)


def settled(data: str, given: TrainOptions, split: str, said: "list[SettingsLayer]") -> "tuple[Source, RunConfig]":
    """The data and the settings of a new run. Raises ValueError for those that cannot be."""
    from unclip.cli.arguments import settings
    from unclip.recipes.api.data import mirrors, natural_size, open_data

    size = settings.side(said)
    first = settings.resolve(settings.base(given, said, size or 32, True), said)
    source = open_data(data, first, split)
    base = settings.base(given, said, size or natural_size(source, first.captioned, first.fit), mirrors(source))
    config = settings.resolve(base, said)
    settings.check_fit(config, said)
    return source, config


def _started(data: str, given: TrainOptions, split: str, said: list, asked: "Start") -> "tuple[Source, RunConfig]":
    """The same of a new run that starts from the weights of another."""
    from unclip.cli.arguments import settings
    from unclip.recipes.api.data import mirrored, open_data
    from unclip.recipes.settings.run import stored_config
    from unclip.recipes.start.settings import check_kind, check_weights_fit

    start = asked.named
    if given.preset:
        raise ValueError(f"--preset {given.preset}: the networks are those of --from {start}; leave --preset out")
    base, there = asked.settings(), stored_config(asked.origin.settings)
    said = [*said, settings.SettingsLayer("--from", {"start": start, "start_hash": base.start_hash})]
    check_kind(there, start, **{name: settings.last(said, name) for name in ("model", "size")})
    source = open_data(data, settings.resolve(base, said), split)
    config = settings.resolve(mirrored(base, source), said)
    check_weights_fit(config, there)
    settings.check_fit(config, said)
    return source, config


def _begun(data: str, out: Path, given: TrainOptions, split: str, said: list) -> "tuple[Source, RunConfig]":
    from unclip.cli.arguments import settings
    from unclip.data.prepare.identity import is_prepared
    from unclip.recipes.api.data import mirrors, open_data
    from unclip.recipes.settings.run import stored_config
    from unclip.runs.folder import RunFolder

    run = RunFolder(out)
    stored = stored_config(run.settings)
    source = open_data(data, stored, split)
    if given.preset:
        base = settings.base(given, said, stored.size, mirrors(source))
        said = [settings.SettingsLayer(f"--preset {given.preset}", base.to_dict(), settings.PRESET), *said]
    settings.check_same(stored, said, out)
    if not is_prepared(source, run.data, stored.captioned):
        raise ValueError(f"{data}: {out} was begun with other data (or it has changed since); name another --out")
    return source, settings.resolve(stored, said)

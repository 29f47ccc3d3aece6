"""A further stage on a finished run: what `unclip add` trains beside the model that is there."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from unclip.core import machine
from unclip.core.disk import store
from unclip.data.prepare.write import load_prepared
from unclip.data.source import Source
from unclip.recipes.context import Context
from unclip.recipes.events import Event, Stopped
from unclip.recipes.finished import finished
from unclip.recipes.settings.run import RunConfig, check_addable, stored_config, write_settings
from unclip.recipes.together import check_shared
from unclip.runs.embeddings import data_folder
from unclip.runs.folder import RunFolder


def add_stage(
    folder: Path, stage: str, config: RunConfig, stop: threading.Event, source: Source | None = None
) -> Iterator[Event]:
    """Trains the stage, or continues it, and judges it; one that is finished only tells how it ended.

    config: the run's settings with this stage among `added` (`with_stage`). source: the run's data, for a stage that
    wants them in another form than the run has kept.
    Raises ValueError for an unfinished run, for a stage that such a run does not take, and for data that are gone.
    """
    run = RunFolder(folder)
    run.require()
    with run.writing():
        yield from _add(run, stage, config, stop, source)


def _add(
    run: RunFolder, stage: str, config: RunConfig, stop: threading.Event, source: Source | None
) -> Iterator[Event]:
    machine.prepare_memory()
    check_shared(config, [stage])
    before = stored_config(run.settings)
    config, prepared = _noted(before, stage, config), load_prepared(data_folder(run).data)
    write_settings(run.settings, config)
    ctx = Context(run, config, prepared, machine.device(), config.precision, stop, source)
    try:
        yield from finished(ctx, stage)
    except Exception:
        if not any(store.exists(place) for place in run.checkpoint(stage)):
            write_settings(run.settings, before)  # nothing of it is there: it was never begun
        raise
    if stage not in run.state():
        yield Stopped(stage)


def _noted(there: RunConfig, stage: str, config: RunConfig) -> RunConfig:
    """What `config` says of this stage beside all that run.toml says now."""
    added = there.added if stage in there.added else (*there.added, stage)
    return replace(there, added=added, recipes={**there.recipes, stage: config.recipes[stage]})


def with_stage(folder: Path, stage: str) -> RunConfig:
    """The settings of a run, and of this stage: as it was begun, or its defaults. Raises ValueError as `add` does."""
    run = RunFolder(folder)
    run.require()
    config = stored_config(run.settings)
    check_addable(config.model, stage)
    return config if stage in config.added else replace(config, added=(*config.added, stage))

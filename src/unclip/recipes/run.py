"""A whole run, resumable at any point, told as events: the data, what a model needs before its stages, the stages.

unclip: data -> tokenizer -> CLIP -> prior -> decoder    ddpm: data -> (classes) -> the DDPM; vae, flow, gan the same
latent: data -> tokenizer -> CLIP -> autoencoder -> diffusion of its codes
"""

import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from unclip.core import machine, processes
from unclip.core.disk import store
from unclip.core.plugins.given import plugins
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.rows import Texts
from unclip.data.prepare.splits_file import HELD_OUT
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.source import Source, notes_of
from unclip.data.stream.sample import Sample
from unclip.data.stream.texts import note_texts
from unclip.images.files import save_picture, thumbnail_sheet
from unclip.recipes.context import Context
from unclip.recipes.events import Event, ImageSaved, Note, Stopped
from unclip.recipes.finished import finished
from unclip.recipes.foresight import foreseen, opinions, passes_in, too_long
from unclip.recipes.more import check_more, train_on
from unclip.recipes.settings.changes import changed, with_changes
from unclip.recipes.settings.run import RunConfig, stored_config, write_settings
from unclip.recipes.sources.streamed import prepared_of, told_of_classes
from unclip.recipes.splits import settle_splits
from unclip.recipes.start.given import given_tokenizer, keep_given
from unclip.recipes.start.origin import begin, start_tokenizer
from unclip.recipes.together import check_shared
from unclip.runs.drawn import unseen_record
from unclip.runs.folder import RunFolder
from unclip.runs.modules import note_tokenizer
from unclip.text.extend import extended
from unclip.text.tokenizer import Tokenizer


def train_stages(
    source: Source,
    folder: Path,
    config: RunConfig,
    stop: threading.Event,
    force: bool = False,
    more: float | None = None,
) -> Generator[Event, None, None]:
    """Trains what of the run is not trained yet. Ends early after a failed gate (unless `force`) or when `stop` is set.

    more: seconds for which a finished run is trained on, each stage from its end.
    Raises ValueError for data or settings that cannot work; what was trained before stays.
    """
    run = RunFolder(folder)
    with run.writing():
        yield from _train(source, run, config, stop, force, more)


def _train(
    source: Source,
    run: RunFolder,
    config: RunConfig,
    stop: threading.Event,
    force: bool,
    more: float | None,
) -> Iterator[Event]:
    machine.prepare_memory()
    check_shared(config, config.stages)
    check_more(run, config, more)
    changes = changes_of(run, config)
    config = begin(run, config)
    keep_given(run, config)
    config = settle(run, config, more)
    for path, (before, now) in changes.items():
        yield Note("settings", f"{path} = {now} from here on, {before} before")
    if config.shard and processes.count() == 1:
        yield Note("settings", "shard: one process trains alone, so nothing is shared out; start several by torchrun")
    _check_data(source, run, config)
    yield from train_on(run, config, more)
    source = prepared_of(source, run, config)
    try:
        prepared = _prepared(source, run, config, stop)
    except KeyboardInterrupt:  # what is prepared is kept
        yield Stopped("data")
        return
    yield from _data_events(run, prepared, source, config)
    yield from settle_splits(run, prepared, config)
    if isinstance(source, Sample) and config.captioned:
        note_texts(source.shards)
    ctx = Context(run, config, prepared, machine.device(), config.precision, stop, source)
    yield from _tokenizer(ctx) if config.reads_captions else _classes(ctx)
    for name in config.stages:
        yield from foreseen(finished(ctx, name), passes_in(ctx, name))
        if name not in run.state():
            yield Stopped(name)
            return
        if not run.state()[name]["passed"] and not force and name != config.stages[-1]:
            return


def settle(run: RunFolder, config: RunConfig, more: float | None = None) -> RunConfig:
    """The run's settings: those of its run.toml once something was trained with them, with what of `config` may change
    on the way; else `config` fitted to this machine.

    more: as of `train`. Raises ValueError where they are gone, and where a change would come too late.
    """
    if run.begun:
        stored, changes = _stored(run), changes_of(run, config)
        _check_in_time(run, changes, more)
        config = with_changes(stored, changes)
        if not changes and not plugins():
            return config
    elif config.precision == "auto":
        config = replace(config, precision=machine.best_precision(machine.device()))
    write_settings(run.settings, config)
    return config


def changes_of(run: RunFolder, config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Path -> (before, now) of what `config` changes in a run that is begun."""
    return changed(_stored(run), config) if run.begun else {}


def _stored(run: RunFolder) -> RunConfig:
    if not run.settings.exists():
        raise ValueError(
            f"{run.settings}: is gone, and with it the settings of what is trained there; restore it, or name "
            "another --out"
        )
    return stored_config(run.settings)


def _check_in_time(run: RunFolder, changes: Iterable[str], more: float | None) -> None:
    """Raises ValueError for the learning rate of a stage that is trained already."""
    state = run.state()
    for path in changes:
        stage = path.partition(".")[0]
        if stage in state and more is None:
            raise ValueError(
                f"{path}: {run.root} has trained {stage} to its end; with --more 30m it is trained on with this, or "
                "name another --out"
            )


def _check_data(source: Source, run: RunFolder, config: RunConfig) -> None:
    """Raises ValueError where a run that is begun has other data: they would take the place of its own."""
    if not run.begun or not (run.data / "prepared.json").exists():
        return
    if not is_prepared(source, run.data, config.captioned):
        raise ValueError(f"{run.root}: was begun with other data (or they have changed since); name another --out")


def _prepared(source: Source, run: RunFolder, config: RunConfig, stop: threading.Event) -> Prepared:
    """Raises KeyboardInterrupt where it was stopped."""
    return prepare(source, run.data, config.size, config.max_bad, config.captioned, stop=stop, **config.look)


def _data_events(run: RunFolder, prepared: Prepared, source: Source, config: RunConfig) -> Iterator[Event]:
    whole = source.shards.source if isinstance(source, Sample) else source
    for line in (
        *prepared.report.lines(),
        *notes_of(whole),
        *opinions(prepared.report, prepared, prepared.captions, config),
    ):
        yield Note("data", line)
    path = run.samples / "data.png"
    if not path.exists():
        every = max(1, len(prepared) // 48)
        save_picture(thumbnail_sheet(prepared.images[: 48 * every : every]), path)
    yield ImageSaved("data", path)


def _finish_data(ctx: Context) -> None:
    """From here on the run is begun: its settings are kept."""
    if "data" not in ctx.folder.state():
        held = {name: len(ctx.splits.of(name)) for name in HELD_OUT}
        count, streamed = ctx.trained + sum(held.values()), {}
        if ctx.shards is not None:
            streamed["streamed"] = len(ctx.shards.trained)
        metrics = {"pairs": count, **held, **streamed, **unseen_record(ctx.source)}
        about = "about " if streamed else ""
        ctx.folder.finish("data", {"passed": True, "why": f"{about}{count} pairs", "metrics": metrics})


def _tokenizer(ctx: Context) -> Iterator[Event]:
    run, config = ctx.folder, ctx.config
    known = run.state().get("tokenizer", {}).get("sha256")
    if known is None or not run.tokenizer.is_file() or store.sha256(run.tokenizer) != known:
        if known is not None:
            yield Note("tokenizer", f"{run.tokenizer}: damaged or gone; made again from the captions")
        made = _made(ctx)
        made.save(run.tokenizer)
        _finish_data(ctx)
        note_tokenizer(run, made)
    yield Note("tokenizer", f"{ctx.tokenizer.size} tokens, captions of at most {ctx.tokenizer.context}")
    for line in too_long(ctx.tokenizer, Texts(ctx.captions), config):
        yield Note("tokenizer", line)


def _made(ctx: Context) -> Tokenizer:
    """The tokenizer of the captions; of a run that starts from another that one's, with more words; with small
    weights beside that one's it stays as it is."""
    captions, config = Texts(ctx.captions), ctx.config
    if (given := given_tokenizer(ctx.folder, config)) is not None:
        return given
    if not config.start:
        return Tokenizer.train(captions, config.vocabulary, config.longest_caption)
    base = start_tokenizer(ctx.folder, config)
    if config.lora:
        return base
    return extended(base, captions, config.vocabulary, config.longest_caption)


def _classes(ctx: Context) -> Iterator[Event]:
    if ctx.config.captioned:
        names = ctx.classes
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        yield Note("classes", f"{len(names)}: {shown}")
        if ctx.shards is not None:
            held = {ctx.prepared.captions[row][0] for row in ctx.splits.validation}
            yield from (Note("classes", line) for line in told_of_classes(len(names), len(held)))
    _finish_data(ctx)

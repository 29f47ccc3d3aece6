"""A whole run, resumable at any point, told as events: the data, what a model needs before its stages, the stages.

unclip: data -> tokenizer -> CLIP -> prior -> decoder    ddpm: data -> (classes) -> the DDPM
latent: data -> tokenizer -> CLIP -> autoencoder -> diffusion of its codes
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from unclip.core import machine
from unclip.data.advice import advice
from unclip.data.prepare import Prepared, prepare
from unclip.data.shapes_world import World
from unclip.data.source import Source, notes_of
from unclip.pipeline.images import thumbnail_sheet
from unclip.pipeline.run_folder import RunFolder
from unclip.recipes.config import RunConfig, read_settings, write_settings
from unclip.recipes.context import Context
from unclip.recipes.events import Drawn, Event, Gate, Note, Stopped
from unclip.recipes.foresight import foreseen
from unclip.recipes.stage_run import StageRun
from unclip.recipes.worlds import prepare_world
from unclip.text.tokenizer import Tokenizer


def train(
    source: Source | World, folder: Path, config: RunConfig, stop: threading.Event, force: bool = False
) -> Iterator[Event]:
    """Trains what of the run is not trained yet. Ends early after a failed gate (unless `force`) or when `stop` is set.

    Raises ValueError for data or settings that cannot work; what was trained before stays.
    """
    run = RunFolder(folder)
    machine.prepare_memory()
    config = settle(run, config)
    prepared = prepare_world(source, run.data, config) if isinstance(source, World) else _read(source, run, config)
    yield from _data_events(run, prepared, source, config)
    ctx = Context(run, config, prepared, machine.device(), config.precision, stop, source)
    yield from BEFORE[config.model](ctx)
    for name in config.stages:
        done = run.state().get(name)
        if done is None:
            batch = config.recipe(name).train.batch
            yield from foreseen(StageRun(ctx, name).events(), name, batch, len(ctx.split[0]))
            if stop.is_set():
                yield Stopped(name)
                return
            done = run.state()[name]
        else:
            yield Gate(name, done["passed"], done["why"], done["figures"])
        if not done["passed"] and not force and name != config.stages[-1]:
            return


def settle(run: RunFolder, config: RunConfig) -> RunConfig:
    """The run's settings: those of its run.toml where there is one, else `config` fitted to this machine."""
    if run.settings.exists():
        return RunConfig.from_dict(read_settings(run.settings), str(run.settings))
    if config.precision == "auto":
        config = replace(config, precision=machine.best_precision(machine.device()))
    write_settings(run.settings, config)
    return config


def _read(source: Source, run: RunFolder, config: RunConfig) -> Prepared:
    return prepare(source, run.data, config.size, config.max_bad, captioned=config.captioned)


def _data_events(run: RunFolder, prepared: Prepared, source: Source | World, config: RunConfig) -> Iterator[Event]:
    worded = advice(prepared.report, config.model != "ddpm")
    for line in (*prepared.report.lines(), *notes_of(source), *worded):
        yield Note("data", line)
    path = run.samples / "data.png"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        every = max(1, len(prepared) // 48)
        thumbnail_sheet(prepared.images[::every][:48]).save(path)
    yield Drawn("data", path)


def _finish_data(ctx: Context) -> None:
    """From here on the run is begun: its settings are kept."""
    if "data" not in ctx.folder.state():
        count = len(ctx.prepared)
        ctx.folder.finish("data", {"passed": True, "why": f"{count} pairs", "figures": {"pairs": count}})


def _tokenizer(ctx: Context) -> Iterator[Event]:
    run, config = ctx.folder, ctx.config
    if not run.tokenizer.exists():
        captions = [c for row in ctx.prepared.captions for c in row]
        made = Tokenizer.train(captions, config.vocabulary, config.longest_caption)
        made.save(run.tokenizer)
        _finish_data(ctx)
        figures = {"tokens": made.size, "context": made.context}
        run.finish("tokenizer", {"passed": True, "why": f"{made.size} tokens", "figures": figures})
    yield Note("tokenizer", f"{ctx.tokenizer.size} tokens, captions of at most {ctx.tokenizer.context}")


def _classes(ctx: Context) -> Iterator[Event]:
    if ctx.config.ddpm.classes:
        names = ctx.classes
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        yield Note("classes", f"{len(names)}: {shown}")
    _finish_data(ctx)


BEFORE: dict[str, Callable[[Context], Iterator[Event]]] = {"unclip": _tokenizer, "latent": _tokenizer, "ddpm": _classes}
"""Model -> what comes between its data and its first stage."""

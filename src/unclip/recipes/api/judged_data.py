"""The images that a finished run is judged on: of its own data those of one split, or another data set."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from unclip.core import machine
from unclip.core.noise import derive
from unclip.data.images.square import Look
from unclip.data.item import Source
from unclip.data.layouts.kinds import Split
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.write import Prepared, load_prepared, prepare
from unclip.recipes.context import Context
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.recipes.stages.upsampler import splits_at
from unclip.runs.embeddings import data_folder
from unclip.runs.folder import RunFolder

TRAIN = 5000
"""Training images in which the nearest to a generated one is looked for."""

Judged = tuple[Prepared, np.ndarray]
"""Prepared images, and the rows of them that count."""


@contextmanager
def judged_on(run: RunFolder, source: Source | None, size: int, split: Split, captioned: bool) -> Iterator[Judged]:
    """All images of another data set, prepared for as long as it takes; of the run's own those of one split."""
    if source is None or is_prepared(source, run.data, captioned):
        prepared = load_prepared(data_folder(run, "name some: --data DATA").data if source is None else run.data)
        yield prepared, rows_of(run, prepared, split)
        return
    with _elsewhere(source, size, run.look, captioned) as judged:
        yield judged


@contextmanager
def larger(run: RunFolder, source: Source | None, size: int, split: Split) -> Iterator[Judged]:
    """As `judged_on`, at the size of an upsampler. Raises ValueError where no held-out image is so large."""
    config = stored_config(run.settings)
    if source is not None and not is_prepared(source, run.data, config.captioned):
        with _elsewhere(source, size, config.look, minimum=size) as judged:
            yield judged
        return
    ctx = Context(run, config, load_prepared(run.data), machine.device(), config.precision, source=source)
    prepared = ctx.prepared_at(size)
    yield prepared, splits_at(ctx, prepared).of(split)


@contextmanager
def _elsewhere(source: Source, size: int, look: Look, captioned: bool = True, minimum: int = 0) -> Iterator[Judged]:
    """A data set in a temporary folder, all of it."""
    with tempfile.TemporaryDirectory() as place:
        prepared = prepare(source, Path(place), size, 1.0, captioned, minimum, **look)
        yield prepared, np.arange(len(prepared))


def trained_on(run: RunFolder, other: Prepared, seed: int) -> Judged:
    """Some of the images that the run was trained on, drawn at random; none of `other` where its data are gone."""
    if not (run.data / "prepared.json").exists():
        return other, np.zeros(0, dtype=np.int64)
    prepared = load_prepared(run.data)
    rows = rows_of(run, prepared, "train")
    return prepared, np.sort(np.random.default_rng(derive(seed, "train")).permutation(rows)[:TRAIN])


def rows_of(run: RunFolder, prepared: Prepared, split: Split) -> np.ndarray:
    """The rows of one split of a run's data."""
    return splits_of(run, prepared, stored_config(run.settings)).of(split)

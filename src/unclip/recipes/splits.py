"""The splits of a run: found once its data are prepared, kept for as long as it lives."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from unclip.data.advice import alike
from unclip.data.prepare.splits import Splits, copies, split_rows
from unclip.data.prepare.splits_file import read_splits, write_splits
from unclip.data.prepare.write import Prepared
from unclip.data.stream.sample import splits_of_sample
from unclip.data.stream.shards import open_shards
from unclip.judges.near_copies import groups_of
from unclip.recipes.events import Event, Note, Working
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.sources.streamed import told_of_stream
from unclip.runs.folder import RunFolder


def settle_splits(run: RunFolder, prepared: Prepared, config: RunConfig) -> Iterator[Event]:
    """Finds the splits of a run that has none yet, and writes them; a run of unclip 0.2.0 goes on without a test."""
    if run.splits.exists() or _without_test(run):
        return
    if (shards := open_shards(run.data)) is not None:
        splits = splits_of_sample(prepared, shards)
        write_splits(run.splits, splits, {"held_out": config.held_out})
        yield from (Note("data", line) for line in told_of_stream(shards, splits))
        return
    yield Working("data", "looking for near-copies", 0.0, 0.0)
    groups = groups_of(prepared)
    splits = split_rows(prepared.keys, groups, config.held_out)
    write_splits(run.splits, splits, {"held_out": config.held_out})
    yield from (Note("data", line) for line in alike(groups))
    yield Note("data", told(splits))


def told(splits: Splits) -> str:
    """How many images each split has."""
    train, validation, test = (len(rows) for rows in (splits.train, splits.validation, splits.test))
    return (
        f"{train:,} images to train on, {validation:,} for validation (gates, previews, choices), "
        f"{test:,} for the test (published scores)"
    )


def splits_of(run: RunFolder, prepared: Prepared, config: RunConfig) -> Splits:
    """The splits of a run; of one that has not begun, those that it will have. Raises ValueError where they are damaged
    or gone."""
    if run.splits.exists():
        return read_splits(run.splits, len(prepared))
    if _without_test(run):  # and before near-copies were looked for: what it trained on stays
        old = split_rows(prepared.keys, copies(prepared), config.held_out)
        return Splits(np.sort(np.concatenate([old.train, old.test])), old.validation, old.test[:0])
    if "data" in run.state():
        raise ValueError(f"{run.splits}: is gone; the same `unclip train` finds the splits of its images again")
    return split_rows(prepared.keys, groups_of(prepared), config.held_out)


def _without_test(run: RunFolder) -> bool:
    """Whether the run was begun before there was a test split."""
    record: dict[str, Any] | None = run.state().get("data")
    return record is not None and "test" not in record["metrics"]

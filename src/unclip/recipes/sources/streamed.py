"""Whether a run streams its data, what of them is prepared then, and what is told of it."""

from collections.abc import Iterator
from pathlib import Path

from unclip.core.shown import printable
from unclip.data.item import Source
from unclip.data.layouts.shards import ShardSource
from unclip.data.prepare.splits import Splits
from unclip.data.prepare.splits_file import HELD_OUT
from unclip.data.stream.sample import Sample, choose, is_large, why_not
from unclip.data.stream.shards import Shards, forget, open_shards
from unclip.recipes.settings.run import RunConfig
from unclip.runs.folder import RunFolder


def prepared_of(source: Source, run: RunFolder, config: RunConfig) -> Source:
    """What is prepared of the data: all, or of shards that the run streams a sample. Which shards these are is settled
    before a run is begun, and kept. Raises ValueError as `chosen`."""
    if run.begun:
        shards = open_shards(run.data)
        return source if shards is None else Sample(shards)
    forget(run.data)
    found = chosen(source, run.data, config)
    if found is None:
        return source
    found.shards.keep()
    return found


def chosen(source: Source, place: Path, config: RunConfig) -> Sample | None:
    """The sample of shards that are streamed; None where the data are prepared as a whole.

    place: a folder for notes. Raises ValueError where a stream is asked for of what cannot be one.
    """
    if config.stream == "always" and (why := why_not(source)):
        raise ValueError(f"stream = always: {printable(source.root)}: {why}; or leave it out, to prepare all images")
    if config.stream == "never" or not isinstance(source, ShardSource):
        return None
    if config.stream == "auto" and not is_large(source):
        return None
    return Sample(choose(source, place, config.held_out))


def told_of_shards(shards: Shards) -> str:
    """What is streamed."""
    size, count = sum(file.size for file in shards.trained), len(shards.trained)
    return (
        f"streamed: {count:,} shards ({size / 1e9:,.1f} GB, about {shards.images:,} images) are trained on as they "
        "lie, decoded just before a step needs them"
    )


def told_of_stream(shards: Shards, splits: Splits) -> Iterator[str]:
    """What a run that streams its shards trains on, and what cannot be known of it."""
    yield told_of_shards(shards)
    held = [name for split in HELD_OUT for name in shards.looked[split]]
    yield (
        f"{len(held):,} shards are held out; of these {len(splits.validation):,} images are for validation (gates, "
        f"previews, choices), {len(splits.test):,} for the test (published scores)"
    )
    yield (
        f"this report, the tokenizer and previews know {len(splits.train):,} of the images that are trained on; copies "
        "and near-copies are not looked for among all of them, nor are they counted"
    )


def told_of_classes(known: int, held: int) -> Iterator[str]:
    """What is off where the shards that are held out have few of the classes: they were packed class by class."""
    if 2 * held < known:
        yield (
            f"! the shards that are held out for validation have {held:,} of {known:,} classes, and gates and previews "
            "see no other: the images lie in the order of their classes; mix them before they are packed"
        )

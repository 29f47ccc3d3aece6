"""DATA on the command line, read as a run's own were unless another way is asked for."""

from dataclasses import replace

from unclip.cli.arguments.options import ReadOptions
from unclip.data.source import Source
from unclip.recipes.api.data import open_data
from unclip.recipes.settings.run import RunConfig


def open_again(data: str, config: RunConfig, split: str, how: ReadOptions = ReadOptions()) -> Source:
    """The data that `data` names, read as those of a run were, unless another way is asked for."""
    return open_data(data, with_captions(how, config), split)


def with_captions(how: ReadOptions, config: RunConfig) -> RunConfig:
    """The settings with the captions where they are asked to be read from."""
    column = config.caption_column if how.caption_column is None else how.caption_column
    return replace(config, captions=how.captions or config.captions, caption_column=column)

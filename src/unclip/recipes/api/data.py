"""The data set that a run is trained on, or judged by: a path to images, or the word `shapes` for drawn ones."""

from dataclasses import replace
from pathlib import Path

from unclip.data.images.square import spans
from unclip.data.item import Scalable
from unclip.data.layouts.kinds import CROP, Fit
from unclip.data.prepare.inspect import inspect_source
from unclip.data.shapes.world import World
from unclip.data.source import Source, open_source
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.families.classed import ClassRecipe

SHAPES = "shapes"
LOOK = 1000
"""So many pairs tell the size of a data set's images."""


def open_data(data: str | Path, config: RunConfig, split: str = "train") -> Source:
    """The data that `data` names, read as the settings say. split: "train" or "validation", where it has splits.

    Raises ValueError for a path without pairs.
    """
    if data == SHAPES:
        return World(config.size, seed=config.seed)
    return open_source(Path(data), split, config.captioned, config.captions, config.caption_column)


def mirrors(source: Source) -> bool:
    """Whether a mirrored image is as good: not where captions were written, which may speak of left and right."""
    return source.kind in ("parquet", "class folders", "images without captions")


def mirrored(config: RunConfig, source: Source) -> RunConfig:
    """The settings of a model of images alone with mirrored images where they are as good; others as they are."""
    return flipped(config, mirrors(source))


def flipped(config: RunConfig, flip: bool) -> RunConfig:
    """The settings of a model of images alone, with mirrored images or without; others as they are."""
    recipe = config.recipes.get(config.model)
    if not isinstance(recipe, ClassRecipe):
        return config
    return config.using(**{config.model: replace(recipe, flip=flip)})  # pyright: ignore[reportArgumentType]


def natural_size(source: Source, captioned: bool = True, fit: Fit = CROP) -> int:
    """32 or 64 px, whichever the median image can fill, cropped or whole.

    Raises ValueError where no image can be read.
    """
    alike = isinstance(source, Scalable)  # all of its images are as large as the first
    report = inspect_source(source, 1 if alike else LOOK, captioned, fit=fit)
    if not report.pairs:
        raise ValueError("\n".join([f"{source.root}: no usable pair among the first {LOOK:,}", *report.problems[:3]]))
    return 32 if spans(report.image_size[1], fit) <= 48 else 64

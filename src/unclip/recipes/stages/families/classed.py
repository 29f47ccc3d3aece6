"""What the stages of models of images alone share: images with their classes, a sheet of samples, a gate."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from unclip.core.typing import Images
from unclip.evaluation import pictures as scores
from unclip.evaluation.judging.likeness import Likeness
from unclip.generation.classed import ClassModel
from unclip.generation.settings import Settings
from unclip.images.files import grid, to_pictures
from unclip.models.classes import Labels
from unclip.recipes.context import Context
from unclip.recipes.feed import PictureFeed
from unclip.recipes.gates import PICTURES, likeness_of
from unclip.recipes.stages.base import Preview, StageRecipe
from unclip.recipes.stages.batches import drawn_anew, pictures_of
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

ROWS, COLUMNS = 8, 4
"""Of a preview."""


class ClassRecipe(StageRecipe):
    """Base of the settings of such a stage.

    classes: whether the class of each image is learned, too. flip: train on mirrored images as well; wrong where left
    and right mean something (digits, captions).
    """

    reads_captions = False

    classes: bool
    flip: bool

    @property
    def captioned(self) -> bool:
        return self.classes

    def names(self, ctx: Context) -> tuple[str, ...]:
        """The classes that it learns."""
        return ctx.classes if self.classes else ()


def usual_training() -> TrainConfig:
    """Of a VAE and a flow."""
    return TrainConfig(16, OptimConfig(lr=2e-3, muon_lr=3e-3))


def pictures(ctx: Context, r: ClassRecipe, channels: int, batch: int) -> PictureFeed:
    """Batches of the images that a model with these settings sees, with their classes where it knows them."""
    known = None if not r.classes else labels(ctx) if ctx.shards is None else numbers(ctx)
    return pictures_of(ctx, batch, known, channels, r.flip)


def numbers(ctx: Context) -> dict[str, int]:
    """The number of each class, by its name."""
    return {name: i for i, name in enumerate(ctx.classes)}


def labels(ctx: Context) -> np.ndarray:
    """The number of each prepared image's class."""
    of = numbers(ctx)
    return np.array([of[captions[0]] for captions in ctx.prepared.captions], dtype=np.int64)


def preview(ctx: Context, model: ClassModel) -> Preview:
    """A sheet in few steps; without classes copies are looked for in it, with them in images of held-out classes."""
    picture, drawn = sheet(model, scores.quick(model.sampling))
    return Preview(picture, drawn_anew(ctx, model) if model.classes else drawn)


def sheet(model: ClassModel, how: Settings) -> tuple[Image.Image, Images]:
    """A row a class (the first eight of them), or images of none, and the same as tensors."""
    rows = list(model.classes[:ROWS]) or [""] * ROWS
    seeds = [j + (0 if model.classes else i * COLUMNS) for i in range(len(rows)) for j in range(COLUMNS)]
    *_, last = model.steps([c for c in rows for _ in range(COLUMNS)], seeds, how)
    drawn = to_pictures(last.x.cpu())
    lines = [drawn[i : i + COLUMNS] for i in range(0, len(drawn), COLUMNS)]
    return grid(lines, rows if model.classes else None), last.x


@dataclass(frozen=True)
class Seen:
    """What a gate looks at: held-out images, their classes, one generated for each, and how like these are."""

    real: Images
    labels: Labels
    made: Images
    like: Likeness


def look(ctx: Context, rows: np.ndarray, model: ClassModel) -> Seen:
    """An image for each of the first held-out ones, of the same class."""
    real, own = scores.held_out(model, ctx.prepared, rows[:PICTURES])
    made = scores.generate_images(model, own, ctx.config.seed, scores.quick(model.sampling))
    return Seen(real, own, made, likeness_of(ctx, made, real))


def class_verdict(model: ClassModel, seen: Seen, seed: int) -> tuple[bool, str, Mapping[str, float]]:
    """Whether the right class explains an image best, in words and figures; nothing of a model without classes."""
    known = scores.explaining(model)
    if not model.classes or known is None:
        return True, "", {}
    gap = scores.class_gap(known, seen.real, seen.labels, seed)
    why = f"; loss with the right class {gap['right']:.4f}, with another {gap['wrong']:.4f}"
    return gap["gap"] > 3 * gap["error"], why, {"class_gap": gap["gap"], "class_error": gap["error"]}

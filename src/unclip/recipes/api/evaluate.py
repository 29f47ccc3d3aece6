"""`unclip.evaluate`: the scores of a finished run, on images that it was not trained on."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unclip.core import machine
from unclip.data.item import Source
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.write import Prepared, load_prepared, prepare
from unclip.data.shapes.world import drawn_world
from unclip.evaluation import likelihood, pictures, suite, upsampling
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.load import load
from unclip.generation.text_to_image import TextToImage
from unclip.recipes.api.data import open_data
from unclip.recipes.context import Context
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.stages.upsampler import split_at
from unclip.runs.folder import RunFolder

FLOW_SHARE = 8
"""The ODE is taken over the first of so many parts of the images: it costs most."""

Judged = tuple[Prepared, np.ndarray]
"""Prepared images, and the rows of them that count."""


@dataclass(frozen=True)
class Scoring:
    """n: images to generate (for the exact score: a category); bpd: images to take bits/dim over, 0: none.

    Raises ValueError for numbers of which no score can be made.
    """

    n: int = 256
    seed: int = 0
    bpd: int = 0

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"n = {self.n}: a score needs at least 2 images")
        if self.bpd < 0 or self.bpd == 1:
            raise ValueError(f"bpd = {self.bpd}: a standard error needs at least 2 images")


def evaluate(
    run: str | Path,
    data: str | Path | Source | None = None,
    *,
    n: int = 256,
    seed: int = 0,
    bpd: int = 0,
    split: str = "validation",
) -> dict[str, Any]:
    """Scores a finished run, as `unclip evaluate --json` writes them: name -> figures.

        scores = unclip.evaluate("runs/mine", n=64)
        scores["clip_score"]["matched"], scores["kid"]["own_clip"]["mean"]

    Args:
        run: the run's folder.
        data: a path to captioned images, "shapes" for the exact score, or a `unclip.data.Source`; None: the run's own
            data, of which those pairs count that it did not train on.
        n: images to generate (for the exact score: in each category).
        seed: of everything random.
        bpd: images to take bits/dim over, where the run holds a DDPM; 0: none.
        split: "train" or "validation", where the data at a path have splits.

    Raises:
        ValueError: for a run that is unfinished or damaged, for data that are gone, and for too few images.
    """
    asked, model, folder = Scoring(n, seed, bpd), load(run), RunFolder(Path(run))
    source = open_data(data, settings_of(folder), split) if isinstance(data, str | Path) else data
    return score(model, folder, source, asked)


def settings_of(run: RunFolder) -> RunConfig:
    """How a run was trained, or the defaults where its settings are gone."""
    return stored_config(run.settings) if run.settings.exists() else RunConfig()


def score(model: ImageModel, run: RunFolder, source: Source | None, asked: Scoring) -> dict[str, Any]:
    """The scores on a data set; on that of the run itself (or None), on those images only that it held out."""
    plain = isinstance(model, DDPMPipeline)
    if asked.bpd and not plain:
        raise ValueError(f"{run.root}: holds a text-to-image model; bits/dim (bpd) are those of a run of --model ddpm")
    world = None if source is None else drawn_world(source, model.size)
    if isinstance(model, CaptionedModel) and world is not None:
        return suite.evaluate_shapes(model, world, asked.n, asked.seed)
    captioned = not plain or bool(model.classes)
    stages = model.enlargers if isinstance(model, TextToImage) else ()
    with ExitStack() as stack:
        prepared, rows = stack.enter_context(judged_on(run, source, model.size, captioned))
        if len(rows) < 2:
            raise ValueError(
                f"{run.root if source is None else source.root}: {len(rows)} image to judge on, and a score needs at "
                "least 2; name data with more"
            )
        if plain:
            return score_pictures(model, (prepared, rows), asked)
        assert isinstance(model, CaptionedModel)
        large = [stack.enter_context(larger(run, source, stage.size)) for stage in stages]
        return score_pairs(model, (prepared, rows), large, asked)


def score_pairs(model: CaptionedModel, judged: Judged, large: Sequence[Judged], asked: Scoring) -> dict[str, Any]:
    """Of a model that draws what a caption says, and of its upsamplers on the same captions; large: images at their
    sizes."""
    prepared, rows = judged
    scores = suite.evaluate_pairs(model, prepared, rows, asked.n, asked.seed)
    if not large or not isinstance(model, TextToImage):
        return scores
    captions = [prepared.captions[row][0] for row in rows[: min(asked.n, upsampling.PICTURES)]]
    low = suite.generate_for_captions(model, captions, asked.seed)
    return scores | upsampling.evaluate_upsampling(model, large, captions, low, asked.seed)


def score_pictures(model: DDPMPipeline, judged: Judged, asked: Scoring) -> dict[str, Any]:
    """Of a plain DDPM, with bits/dim where they are asked for."""
    prepared, rows = judged
    scores = pictures.evaluate_images(model, prepared, rows, asked.n, asked.seed)
    if asked.bpd:
        held = pictures.held_out(model, prepared, rows[: asked.bpd])
        scores |= likelihood.bits(model, *held, flow=max(2, asked.bpd // FLOW_SHARE), seed=asked.seed)
    return scores


@contextmanager
def judged_on(run: RunFolder, source: Source | None, size: int, captioned: bool) -> Iterator[Judged]:
    """All images of another data set, prepared for as long as it takes; of the run's own those that it held out."""
    if source is None or is_prepared(source, run.data, captioned):
        yield load_prepared(run.data), held_out_rows(run)
        return
    with _elsewhere(source, size, run.background, captioned) as judged:
        yield judged


@contextmanager
def larger(run: RunFolder, source: Source | None, size: int) -> Iterator[Judged]:
    """As `judged_on`, at the size of an upsampler. Raises ValueError where no held-out image is so large."""
    ctx = _context(run)
    if source is None or is_prepared(source, run.data, ctx.config.captioned):
        prepared = replace(ctx, source=source).prepared_at(size)
        yield prepared, split_at(ctx, prepared)[1]
        return
    with _elsewhere(source, size, ctx.config.background, minimum=size) as judged:
        yield judged


@contextmanager
def _elsewhere(
    source: Source, size: int, background: str, captioned: bool = True, minimum: int = 0
) -> Iterator[Judged]:
    """A data set in a temporary folder, all of it."""
    with tempfile.TemporaryDirectory() as place:
        prepared = prepare(source, Path(place), size, 1.0, captioned, minimum, background)
        yield prepared, np.arange(len(prepared))


def held_out_rows(run: RunFolder) -> np.ndarray:
    """The rows of a run's data that it did not train on."""
    return _context(run).split[1]


def _context(run: RunFolder) -> Context:
    """A run as its stages saw it. Raises ValueError where its data are gone."""
    config = stored_config(run.settings)
    return Context(run, config, load_prepared(run.data), machine.device(), config.precision)

"""What the ways to an image embedding are measured on: a finished text-to-image run's own held-out pairs."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unclip.data.loader import to_tensor
from unclip.data.shapes.captions import scored_prompts
from unclip.data.shapes.world import World
from unclip.evaluation.embedding_sources import Benchmark, DrawnScenes, EmbeddingSource, Pairs, SourceScores, judge
from unclip.generation.load import called
from unclip.generation.text_to_image import TextToImage, require
from unclip.recipes.events import Event, working
from unclip.studies.explain.subject import OpenedRun, open_run
from unclip.studies.explain.subjects import UnclipSubject

CATEGORIES = ("one_seen", "one_unseen", "two_seen")
"""Of the drawn scenes, those that are scored."""


def open_unclip(root: Path) -> tuple[OpenedRun, TextToImage]:
    """A finished text-to-image run with its data. Raises ValueError for any other."""
    opened = open_run(root)
    if not isinstance(opened.subject, UnclipSubject):
        raise ValueError(f"{root}: a {called(opened.subject.model)}, which has no prior; name a run of --model unclip")
    return opened, opened.subject.model


def measured_on(opened: OpenedRun, model: TextToImage, n: int, seed: int) -> Benchmark:
    """n held-out pairs; of a run of drawn shapes, also n scenes of each category."""
    rows = opened.rows
    real = model.embed_images(to_tensor(opened.prepared.images[rows]))
    captions = [opened.prepared.captions[row][0] for row in rows[:n]]
    return Benchmark(
        pairs=Pairs(captions, real[:n], seed),
        real=real,
        mean=require(model.prior, "prior").mean,
        drawn=None if opened.world is None else scenes(model, opened.world, n, seed),
    )


def scenes(model: TextToImage, world: World, n: int, seed: int) -> DrawnScenes:
    """Drawn scenes with their prompts and embeddings."""
    asked = scored_prompts(world, n, seed, CATEGORIES)
    pictures = to_tensor(np.stack([world.draw(scene) for _, scene in asked]))
    prompts = [prompt for prompt, _ in asked]
    return DrawnScenes(prompts, Pairs([p.text for p in prompts], model.embed_images(pictures), seed))


def judge_all(
    model: TextToImage, ways: Sequence[EmbeddingSource], against: Benchmark, found: dict[str, SourceScores]
) -> Iterator[Event]:
    """Judges one way after the other into `found`."""
    start = time.monotonic()
    for done, way in enumerate(ways, 1):
        found[way.name] = judge(model, way, against)
        yield working("judging", way.name, done, len(ways), start)

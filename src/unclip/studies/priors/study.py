"""`unclip compare-priors`: a run's priors on its held-out pairs (unCLIP, section 5.1); those missing are trained."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import unclip
from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.store import to_json
from unclip.evaluation.embedding_sources import Benchmark, EmbeddingSource, SourceScores, compare_ways
from unclip.generation.priors import ADDED, PRIORS, PriorKind, with_prior
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY, grid, save_picture, to_pictures
from unclip.recipes.add import add_stage, with_stage
from unclip.recipes.events import Event, ImageSaved, Note, Stopped
from unclip.recipes.settings.run import RunConfig, read_settings, retrained
from unclip.runs.folder import RunFolder
from unclip.studies.explain.subject import OpenedRun
from unclip.studies.priors.benchmark import judge_all, measured_on, open_unclip

ORACLE = "true embedding"
ROWS = 6
"""Captions in the image."""


@dataclass(frozen=True)
class PriorsRequest:
    """budget: seconds of training for each prior that the run lacks, None: as long as its diffusion prior had.

    n: held-out pairs, and drawn scenes a category.
    """

    budget: float | None = None
    n: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 4:
            raise ValueError(f"-n {self.n}: a comparison needs at least 4 pairs")
        if self.budget is not None and self.budget <= 0:
            raise ValueError(f"--budget: {self.budget} s of training are none")


def compare(root: Path, ask: PriorsRequest, stop: threading.Event) -> Iterator[Event]:
    """Trains what is missing, judges all, and writes priors.json and priors.png into RUN/priors.

    Raises ValueError for a run without a prior, one that is unfinished, or whose data are gone.
    """
    RunFolder(root).require()
    with RunFolder(root).writing():
        yield from _compare(root, ask, stop)


def _compare(root: Path, ask: PriorsRequest, stop: threading.Event) -> Iterator[Event]:
    opened, model = open_unclip(root)
    for stage in ADDED.values():
        for event in add_stage(root, stage, settings(root, stage, ask), stop):
            yield event
            if isinstance(event, Stopped):
                return
    ways = [EmbeddingSource(kind.title, with_prior(model, name).prior) for name, kind in PRIORS.items()] + [
        EmbeddingSource(ORACLE, None)
    ]
    against = measured_on(opened, model, ask.n, ask.seed)
    yield Note("priors", f"judged on {len(against.pairs.captions)} pairs{opened.note}")
    found: dict[str, SourceScores] = {}
    yield from judge_all(model, ways, against, found)
    write(root, model, against, found)
    path = RunFolder(root).priors / "priors.png"
    save_picture(sheet(opened, model, against, found), path)
    yield ImageSaved("priors", path)


def settings(root: Path, stage: str, ask: PriorsRequest) -> RunConfig:
    """The run's settings with this stage trained for so long; one that was begun before keeps its own."""
    config, run = with_stage(root, stage), RunFolder(root)
    if stage in read_settings(run.settings).get("added", []):
        return config
    seconds = ask.budget or run.state()["prior"]["metrics"]["seconds"]
    recipe = retrained(config.recipes[stage], steps=0)
    return config.using(**{stage: replace(recipe, share=seconds / config.budget)})  # pyright: ignore[reportArgumentType]


def write(root: Path, model: TextToImage, against: Benchmark, found: dict[str, SourceScores]) -> None:
    """The figures, with how long each prior was trained and whether it passed its gate."""
    state, metrics = RunFolder(root).state(), dict[str, Any]()
    for kind in (*PRIORS.values(), PriorKind(ORACLE)):
        metrics[kind.title] = dict(found[kind.title].metrics)
        ended = state.get(kind.stage or "")
        if ended is not None:
            metrics[kind.title] |= {"trained": ended["metrics"]["seconds"], "passed": ended["passed"]}
            metrics[kind.title] |= {k: ended["metrics"][k] for k in ("steps", "parameters")}
    of = {"run": str(root), "model": model.hash, "stages": judged_stages(model)}
    about = {**of, "unclip": unclip.__version__, "n": len(against.pairs.captions), "seed": against.pairs.seed}
    scores = {"priors": metrics, "paired": compare_ways(found, PRIORS["diffusion"].title, against.pairs.seed)}
    write_atomic(RunFolder(root).priors / "priors.json", to_json({**about, **scores}))


def sheet(opened: OpenedRun, model: TextToImage, against: Benchmark, found: dict[str, SourceScores]) -> Image.Image:
    """The same captions with every prior, a column each; the true image last."""
    captions, seed = list(against.pairs.captions), against.pairs.seed
    shown = sorted({captions.index(caption) for caption in captions})[:ROWS]
    columns = [to_pictures(way.pictures[shown]) for way in found.values()]
    columns.append([Image.fromarray(np.asarray(opened.prepared.images[opened.rows[i]])) for i in shown])
    rows = [list(row) for row in zip(*columns, strict=True)]
    heads, labels = [*found, "true image"], [captions[i] for i in shown]
    picture = grid(rows, labels, zoom=-(-96 // model.size), heads=heads)
    made = {"command": "compare-priors", "of": [], "options": {"n": len(captions), "seed": seed}}
    sampling = model.sampling.to_dict()
    about = {"prompt": labels[0], "prompts": labels, "seed": seed, "sampling": sampling, "model": model.hash}
    picture.info[KEY] = {**about, "stages": judged_stages(model), "unclip": unclip.__version__, "made": made}
    return picture


def judged_stages(model: TextToImage) -> dict[str, str]:
    """The stages that were compared, and those around them, with their hashes."""
    return model.stages.hashes([*model.stages_used(model.sampling), *ADDED.values()])

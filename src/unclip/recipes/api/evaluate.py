"""`unclip.evaluate`: the scores of a finished run, on images that it was not trained on."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.data.item import Source
from unclip.data.layouts.kinds import SPLITS, Split
from unclip.data.loader import select_rows, to_tensor
from unclip.evaluation import likelihood, pictures, suite
from unclip.evaluation.fidelity import upsampling
from unclip.evaluation.judging.alignment import judged_alignment
from unclip.evaluation.judging.compared import Compared
from unclip.evaluation.judging.panel import score_sets
from unclip.evaluation.judging.probe import class_accuracy
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel
from unclip.generation.load import called, load
from unclip.generation.one_pass import GANPipeline
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.judges.judge import Judge
from unclip.judges.shipped import load_all
from unclip.recipes.api.data import open_data
from unclip.recipes.api.judged_data import Judged, judged_on, larger, trained_on
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.runs.drawn import asked_world
from unclip.runs.folder import RunFolder

FLOW_SHARE = 8
"""The ODE, or importance sampling, is taken over the first of so many parts of the images: it costs most."""


@dataclass(frozen=True)
class Scoring:
    """How a run is scored. Raises ValueError for numbers of which no score can be made.

    Args:
        n: images to generate (for the exact score: a category).
        seed: of everything random.
        bpd: images to take bits/dim over; 0: none.
        split: which of a run's own images it is judged on.
        features: judges of sets of images, by name or path, as `judges.load` takes them; none: those that are shipped.
        judges: other runs, whose CLIP says how well images fit their captions.
    """

    n: int = 256
    seed: int = 0
    bpd: int = 0
    split: Split = "test"
    features: tuple[str, ...] = ()
    judges: tuple[str | Path, ...] = ()

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"n = {self.n}: a score needs at least 2 images")
        if self.split not in SPLITS:
            raise ValueError(f'split = "{self.split}": must be train, validation or test')
        if self.bpd < 0 or self.bpd == 1:
            raise ValueError(f"bpd = {self.bpd}: a standard error needs at least 2 images")


def evaluate(
    run: str | Path,
    data: str | Path | Source | None = None,
    *,
    n: int = 256,
    seed: int = 0,
    bpd: int = 0,
    split: Split = "test",
    features: Sequence[str] = (),
    judges: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Scores a finished run, as `unclip evaluate --json` writes them: name -> figures.

        scores = unclip.evaluate("runs/mine", n=64)
        scores["random"]["kid"]["mean"], scores["random"]["way"], scores["copies"]["pixels"]["near_copies"]

    Args:
        run: the run's folder.
        data: a path to captioned images, "shapes" for the exact score (docs/shapes.md), or a `unclip.data.Source`;
            None: the run's own data, of which those pairs count that it did not train on.
        n: images to generate (for the exact score: in each category).
        seed: of everything random.
        bpd: images to take bits/dim over, where the run holds a DDPM, a VAE or a flow; 0: none.
        split: "test" for scores to publish, "validation" for what is used to decide, "train": of the run's own data,
            and where the data at a path have splits.
        features: feature nets by which generated images are compared with real ones: "random", or the path of one of
            your own ([judges](judges.md)); none: those that are shipped.
        judges: folders of other runs, whose CLIP judges how well images fit their captions.

    Raises:
        ValueError: for a run that is unfinished or damaged, for data that are gone, and for too few images.
    """
    asked, model, folder = Scoring(n, seed, bpd, split, tuple(features), tuple(judges)), load(run), RunFolder(Path(run))
    source = open_data(data, settings_of(folder), split) if isinstance(data, str | Path) else data
    return score(model, folder, source, asked).scores


def settings_of(run: RunFolder) -> RunConfig:
    """How a run was trained, or the defaults where its settings are gone."""
    return stored_config(run.settings) if run.settings.exists() else RunConfig()


@dataclass(frozen=True)
class Evaluation:
    """The scores of a run, and what they were taken from; `compared` is None for the exact score."""

    scores: dict[str, Any]
    compared: Compared | None = None


def score(model: ImageModel, run: RunFolder, source: Source | None, asked: Scoring) -> Evaluation:
    """The scores on a data set; on that of the run itself (or None), on the images of one split only."""
    if asked.bpd and not isinstance(model, ClassModel):
        raise ValueError(
            f"{run.root}: holds a text-to-image model; bits/dim (bpd) are those of a run of --model ddpm, vae or flow"
        )
    if asked.bpd and isinstance(model, GANPipeline):
        raise ValueError(f"{run.root}: holds a GAN, which has samples but no likelihood; leave --bpd out")
    if asked.judges and isinstance(model, ClassModel):
        raise ValueError(
            f"{run.root}: holds a {called(model)}, which reads no captions that a CLIP could judge; leave --judge out"
        )
    world = None if source is None else asked_world(source, run, model.size)
    if isinstance(model, CaptionedModel) and world is not None:
        return Evaluation(suite.evaluate_shapes(model, world, asked.n, asked.seed))
    judges = load_all(asked.features)
    captioned = not isinstance(model, ClassModel) or bool(model.classes)
    with ExitStack() as stack:
        judged = stack.enter_context(judged_on(run, source, model.size, asked.split, captioned))
        if len(judged[1]) < 2:
            raise ValueError(_too_few(len(judged[1]), run, source, asked.split))
        trained = trained_on(run, judged[0], asked.seed)
        if isinstance(model, ClassModel):
            return score_images(model, judged, trained, judges, asked)
        assert isinstance(model, CaptionedModel)
        stages = model.enlargers if isinstance(model, TextToImage) else ()
        large = [stack.enter_context(larger(run, source, stage.size, asked.split)) for stage in stages]
        return score_pairs(model, judged, trained, judges, asked, large)


def _too_few(count: int, run: RunFolder, source: Source | None, split: Split) -> str:
    images = f"{count} image{'s' * (count != 1)}"
    if source is not None:
        return f"{source.root}: {images} to judge on, and a score needs at least 2; name data with more"
    other = "--split validation scores those that its gates saw, or " if split == "test" else ""
    return f"{run.root}: its {split} split has {images} to judge on, and a score needs at least 2; {other}name --data"


def score_images(
    model: ClassModel, judged: Judged, trained: Judged, judges: Sequence[Judge], asked: Scoring
) -> Evaluation:
    """Of a model of images alone, with bits/dim where they are asked for."""
    prepared, rows = judged
    real, labels = pictures.held_out(model, prepared, rows[: asked.n])
    made = pictures.generate_images(model, labels, asked.seed, Settings())
    captions = [prepared.captions[r][0] if model.classes else "" for r in rows[: asked.n]]
    train = to_tensor(select_rows(trained[0].images, trained[1], real.shape[1]))
    compared = Compared(made, real, train, judges, captions)
    scores = pictures.evaluate_images(model, real, labels, made, asked.seed) | score_sets(compared, asked.seed)
    scores |= _classes(compared, trained) if model.classes else {}
    if asked.bpd:
        held = pictures.held_out(model, prepared, rows[: asked.bpd])
        scores |= likelihood.bits(model, *held, few=max(2, asked.bpd // FLOW_SHARE), seed=asked.seed)
    return Evaluation(scores, compared)


def score_pairs(
    model: CaptionedModel,
    judged: Judged,
    trained: Judged,
    judges: Sequence[Judge],
    asked: Scoring,
    large: Sequence[Judged],
) -> Evaluation:
    """Of a model that draws what a caption says, and of its upsamplers on the same captions; large: images at their
    sizes."""
    prepared, rows = judged
    captions = [prepared.captions[row][0] for row in rows[: asked.n]]
    made, real = suite.generate_for_captions(model, captions, asked.seed), to_tensor(prepared.images[rows[: asked.n]])
    compared = Compared(made, real, to_tensor(trained[0].images[trained[1]]), judges, captions)
    scores = suite.evaluate_pairs(model, prepared, rows, made) | score_sets(compared, asked.seed)
    scores |= _classes(compared, trained)
    every = [c[0] for c in prepared.captions]
    for name in asked.judges:
        other = load(name)
        if not isinstance(other, CaptionedModel):
            raise ValueError(
                f"{name}: holds a {called(other)}, which has no CLIP to judge by; name a run of --model unclip"
            )
        scores[f"judge {name}"] = judged_alignment(other, made, real, captions, every) | {"hash": other.hash}
    if large and isinstance(model, TextToImage):
        few = min(asked.n, upsampling.PICTURES)
        scores |= upsampling.evaluate_upsampling(model, large, captions[:few], made[:few], asked.seed)
    return Evaluation(scores, compared)


def _classes(compared: Compared, trained: Judged) -> dict[str, Any]:
    """Accuracy by a classifier on the first judge's features, where the captions are classes."""
    if not compared.able or not len(compared.train):
        return {}
    seen, captions = compared.spaces[compared.able[0].name], compared.captions
    known = [trained[0].captions[row][0] for row in trained[1]]
    found = class_accuracy({"generated": (seen.made, captions), "real": (seen.real, captions)}, (seen.train, known))
    return {"class_accuracy": found} if found else {}

"""What a decoder is given, and what comes of it: one way beside another, on the same captions, seeds and images.

An image embedding comes from a prior, or from the true image; the caption goes to the decoder as it is, not at all,
or it is another image's. The same figures of each way tell priors apart (unCLIP, section 5.1), and which stage an
error comes from.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch.nn.functional as F

from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.data.loader import to_pixels
from unclip.data.shapes.captions import Prompt
from unclip.data.shapes.rates import rates
from unclip.data.shapes.score import score_each
from unclip.evaluation.alignment import matched_against_shuffled, partners
from unclip.evaluation.scenes import whole_scenes
from unclip.evaluation.sets.beside import KernelDistance, Measured, Setting, Values, beside
from unclip.evaluation.sets.calibration import calibration
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.suite import BATCH, OTHER, decode_embeddings, prior_embeddings
from unclip.generation.text_to_image import TextToImage
from unclip.models.priors.base import PriorModel
from unclip.models.priors.untrained import ConstantPrior

GENERATED = "prior + caption"
"""Of the ways that trace an error, the one that `generate` goes."""


@dataclass(frozen=True)
class EmbeddingSource:
    """prior: where the image embedding comes from, None: the true image. caption: what the decoder reads."""

    name: str
    prior: PriorModel | None
    caption: Literal["own", "none", "other"] = "own"


@dataclass(frozen=True)
class Pairs:
    """Captions with the CLIP embeddings of their true images; row i belongs together, and has seed + i."""

    captions: Sequence[str]
    true: Vectors
    seed: int = 0


@dataclass(frozen=True)
class DrawnScenes:
    """Scenes of the drawn world: `pairs` of their prompts, which can be checked exactly."""

    prompts: Sequence[Prompt]
    pairs: Pairs


@dataclass(frozen=True)
class Benchmark:
    """What the ways are measured on. real: CLIP embeddings of held-out images, for the kernel distance.

    mean: of the training images' embeddings, where cosines are measured from. drawn: scenes, of drawn data.
    """

    pairs: Pairs
    real: Float[Tensor, "m d"]
    mean: Float[Tensor, " d"]
    drawn: DrawnScenes | None = None


@dataclass(frozen=True)
class SourceScores(Setting):
    """Figures of a way, and the images that it made for the pairs."""

    pictures: Images


def judge(model: TextToImage, way: EmbeddingSource, against: Benchmark) -> SourceScores:
    """All figures of one way.

    embedding: centred cosines to the true embedding and to another caption's; repeat, repeat_less_cosine, calibration:
    between two seeds of a caption (`calibration`); ms: for each embedding. clip_score: of the images, with their own
    caption and another. kid: with the run's CLIP. exact: on drawn scenes, the share of whole scenes right a category.
    """
    pairs = against.pairs
    z, seconds = embeddings(model, way, pairs)
    made = draw_images(model, way, z, pairs)
    fake, texts = model.embed_images(made), model.embed_captions(pairs.captions)
    constant = isinstance(way.prior, ConstantPrior)  # no embedding of an image
    metrics, measured = ({}, {}) if constant else _embedding(model, way, z, seconds, against)
    metrics["clip_score"] = matched_against_shuffled(fake, texts, pairs.captions)
    metrics["kid"] = kid_scores(fake, against.real, pairs.seed)
    measured["CLIP"] = Values((fake * texts).sum(1), pairs.captions)
    measured["KID"] = KernelDistance(metrics["kid"]["mean"], fake, against.real, pairs.captions)
    if against.drawn is not None:
        metrics["exact"], whole = score_scenes(model, way, against.drawn)
        measured |= whole
    return SourceScores(metrics, measured, made)


def compare_ways(found: Mapping[str, SourceScores], base: str, seed: int) -> dict[str, Any]:
    """Each way's figures less those of one of them, with the errors of the differences (`beside`)."""
    return beside({name: scores.measured for name, scores in found.items()}, seed, base)


def embeddings(model: TextToImage, way: EmbeddingSource, pairs: Pairs) -> tuple[Vectors, float]:
    """(image embeddings [n, d], seconds for each)."""
    if way.prior is None:
        return pairs.true, 0.0
    start = time.perf_counter()
    z = prior_embeddings(replace(model, prior=way.prior), pairs.captions, pairs.seed)
    return z, (time.perf_counter() - start) / len(z)


def draw_images(model: TextToImage, way: EmbeddingSource, z: Vectors, pairs: Pairs) -> Images:
    """An image for each embedding with the run's own sampling, in [-1, 1] on the CPU."""
    return decode_embeddings(model, z, captions_for(way, pairs.captions), pairs.seed)


def captions_for(way: EmbeddingSource, captions: Sequence[str]) -> list[str]:
    """What the decoder reads; an empty caption is what training shows where it drops one."""
    if way.caption == "other":
        return [captions[i] for i in partners(captions)]
    return [c if way.caption == "own" else "" for c in captions]


def score_scenes(
    model: TextToImage, way: EmbeddingSource, drawn: DrawnScenes
) -> tuple[dict[str, Any], dict[str, Values]]:
    """Category -> share of the drawn scenes that are wholly right, with its standard error (of unseen pairs: that over
    pairs), and scene by scene."""
    z, _ = embeddings(model, way, drawn.pairs)
    made = draw_images(model, way, z, drawn.pairs)
    scores = score_each(list(to_pixels(made)), drawn.prompts)
    found = rates(drawn.prompts, scores)
    shares = {category: asdict(metrics["whole"]) for category, metrics in found.items()}
    return shares, whole_scenes(drawn.prompts, scores)


def _embedding(
    model: TextToImage, way: EmbeddingSource, z: Vectors, seconds: float, against: Benchmark
) -> tuple[dict[str, Any], dict[str, Measured]]:
    pairs = against.pairs
    made, true = (centred(x, against) for x in (z, pairs.true))
    cosine = (made * true).sum(1)
    metrics: dict[str, Any] = {"embedding": matched_against_shuffled(made, true, pairs.captions)}
    measured: dict[str, Measured] = {"cosine": Values(cosine, pairs.captions)}
    if way.prior is None:
        return metrics, measured
    again, _ = embeddings(model, way, replace(pairs, seed=pairs.seed + OTHER))
    repeat = (made * centred(again, against)).sum(1)
    calibrated = calibration(cosine, repeat, pairs.captions, pairs.seed)
    return {**metrics, **calibrated, "ms": 1000 * seconds}, measured


def centred(z: Vectors, against: Benchmark) -> Vectors:
    """Unit vectors as seen from the mean."""
    return F.normalize((z - against.mean).float(), dim=-1)


def _batches(items: Sequence[Any]) -> range:
    return range(0, len(items), BATCH)


def tracing(prior: PriorModel, text: PriorModel, none: PriorModel) -> list[EmbeddingSource]:
    """The ways that trace an error to its stage: with the true embedding it is the decoder's, with the prior's own the
    prior's; without the caption's tokens, or with wrong ones, what these are worth."""
    return [
        EmbeddingSource("true embedding + caption", None),
        EmbeddingSource(GENERATED, prior),
        EmbeddingSource("text embedding + caption", text),
        EmbeddingSource("caption alone", none),
        EmbeddingSource("true embedding alone", None, "none"),
        EmbeddingSource("prior alone", prior, "none"),
        EmbeddingSource("prior + another's caption", prior, "other"),
    ]

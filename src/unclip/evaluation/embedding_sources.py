"""What a decoder is given, and what comes of it: one way beside another, on the same captions, seeds and images.

An image embedding comes from a prior, or from the true image; the caption goes to the decoder as it is, not at all,
or it is another image's. The same figures of each way tell priors apart (unCLIP, section 5.1), and which stage an
error comes from.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.data.loader import to_pixels
from unclip.data.shapes.captions import Prompt
from unclip.data.shapes.rates import score_many
from unclip.evaluation.alignment import matched_against_shuffled, partners, standard_error
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.suite import BATCH
from unclip.generation.text_to_image import TextToImage
from unclip.models.priors.base import PriorModel
from unclip.models.priors.untrained import ConstantPrior

OTHER = 1_000_000
"""Added to the seeds for a second embedding of the same captions."""


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
class SourceScores:
    """Figures of a way, and the images that it made for the pairs."""

    metrics: dict[str, Any]
    pictures: Images


def judge(model: TextToImage, way: EmbeddingSource, against: Benchmark) -> SourceScores:
    """All figures of one way.

    embedding: centred cosines to the true embedding and to another caption's; repeat: between two seeds of a caption;
    ms: for each embedding. clip_score: of the images, with their own caption and another. kid: with the run's CLIP.
    exact: on drawn scenes, the share of whole scenes right a category.
    """
    pairs = against.pairs
    z, seconds = embeddings(model, way, pairs)
    made = draw_images(model, way, z, pairs)
    fake, texts = model.embed_images(made), model.embed_captions(pairs.captions)
    constant = isinstance(way.prior, ConstantPrior)  # no embedding of an image
    metrics = {} if constant else _embedding(model, way, z, seconds, against)
    metrics["clip_score"] = matched_against_shuffled(fake, texts, pairs.captions)
    metrics["kid"] = kid_scores(fake, against.real, pairs.seed)
    if against.drawn is not None:
        metrics["exact"] = score_scenes(model, way, against.drawn)
    return SourceScores(metrics, made)


def embeddings(model: TextToImage, way: EmbeddingSource, pairs: Pairs) -> tuple[Vectors, float]:
    """(image embeddings [n, d], seconds for each)."""
    if way.prior is None:
        return pairs.true, 0.0
    using, start, parts = replace(model, prior=way.prior), time.perf_counter(), []
    for i in _batches(pairs.captions):
        some = pairs.captions[i : i + BATCH]
        parts.append(using.embed_prompts(some, range(pairs.seed + i, pairs.seed + i + len(some))))
    z = torch.cat(parts)
    return z, (time.perf_counter() - start) / len(z)


@torch.no_grad()
def draw_images(model: TextToImage, way: EmbeddingSource, z: Vectors, pairs: Pairs) -> Images:
    """An image for each embedding with the run's own sampling, in [-1, 1] on the CPU."""
    captions, parts = captions_for(way, pairs.captions), []
    for i in _batches(captions):
        some = captions[i : i + BATCH]
        *_, last = model.decode(
            z[i : i + BATCH], some, range(pairs.seed + i, pairs.seed + i + len(some)), model.sampling
        )
        parts.append(last.x.float().clamp(-1, 1).cpu())
    return torch.cat(parts)


def captions_for(way: EmbeddingSource, captions: Sequence[str]) -> list[str]:
    """What the decoder reads; an empty caption is what training shows where it drops one."""
    if way.caption == "other":
        return [captions[i] for i in partners(captions)]
    return [c if way.caption == "own" else "" for c in captions]


def score_scenes(model: TextToImage, way: EmbeddingSource, drawn: DrawnScenes) -> dict[str, Any]:
    """Category -> share of the drawn scenes that are wholly right, with its standard error (of unseen pairs: that over
    pairs)."""
    z, _ = embeddings(model, way, drawn.pairs)
    made = draw_images(model, way, z, drawn.pairs)
    rates = score_many(list(to_pixels(made)), drawn.prompts)
    return {category: asdict(metrics["whole"]) for category, metrics in rates.items()}


def _embedding(
    model: TextToImage, way: EmbeddingSource, z: Vectors, seconds: float, against: Benchmark
) -> dict[str, Any]:
    pairs = against.pairs
    made, true = (centred(x, against) for x in (z, pairs.true))
    metrics: dict[str, Any] = {"embedding": matched_against_shuffled(made, true, pairs.captions)}
    if way.prior is None:
        return metrics
    again, _ = embeddings(model, way, replace(pairs, seed=pairs.seed + OTHER))
    repeat = (made * centred(again, against)).sum(1)
    return {**metrics, "repeat": {"mean": repeat.mean().item(), "error": standard_error(repeat)}, "ms": 1000 * seconds}


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
        EmbeddingSource("prior + caption", prior),
        EmbeddingSource("text embedding + caption", text),
        EmbeddingSource("caption alone", none),
        EmbeddingSource("true embedding alone", None, "none"),
        EmbeddingSource("prior alone", prior, "none"),
        EmbeddingSource("prior + another's caption", prior, "other"),
    ]

"""`unclip evaluate`: every score of a finished run, on pairs that it did not train on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from unclip.core.typing import Images, Vectors
from unclip.data.classes import are_classes
from unclip.data.loader import to_pixels, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.data.shapes.captions import Prompt, scored_prompts
from unclip.data.shapes.pairs import by_shape, named, pool
from unclip.data.shapes.rates import geneval, rates
from unclip.data.shapes.score import Score, score_each
from unclip.data.shapes.world import World
from unclip.diffusion.process import Sampling
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.fidelity.reconstruction import score_reconstruction
from unclip.evaluation.fidelity.texture import roughness
from unclip.evaluation.retrieval import distinct, retrieval, zero_shot
from unclip.evaluation.sets.calibration import calibration
from unclip.generation.captioned import CaptionedModel
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.latents.zero_shot import label_embeddings

BATCH = 64
OTHER = 1_000_000
"""Added to the seeds for a second embedding of the same captions."""
ALL = 10_000
WORDS = ("retrieval", "prior", "clip_score", "clip_score_real", "generated_retrieval")
"""Scores that compare a caption with others; all but the first, of those images for which some are generated."""
UNKNOWN = "cannot be known: all captions are the same"
"""In the place of such a score."""
UNSEEN = "cannot be known: the model's CLIP has no image tower; --judge RUN asks another run's"
"""In the place of all that its own CLIP would say of images."""


def evaluate_pairs(model: CaptionedModel, prepared: Prepared, rows: np.ndarray, made: Images) -> dict[str, Any]:
    """Scores on the pairs `rows`: retrieval, zero-shot accuracy where the captions of the whole data set are classes,
    prior or autoencoder, and those of `made`, images that were generated for the captions of the first of them; of a
    model that cannot look at images what needs no CLIP."""
    captions, every = [prepared.captions[r][0] for r in rows], [c[0] for c in prepared.captions]
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} image: a score needs at least 2")
    images, few = to_tensor(prepared.images[rows]), len(made)
    if not model.sees:
        return {**_reconstruction(model, images[:few]), "clip": UNSEEN, "roughness": _roughness(made, images[:few])}
    real, fake = model.embed_images(images), model.embed_images(made)
    scores = {
        "retrieval": score_clip(model, real, captions),
        **score_classes(model, real, captions, every),
        **_own(model, images[:few], real[:few], captions[:few]),
        **score_pictures(model, Embedded(made, fake), Embedded(images[:few], real[:few]), captions[:few]),
        "retrieval_among_all": among_all(model, {"generated": fake, "real": real[:few]}, captions[:few], every),
    }
    unknown = WORDS if len(set(captions)) < 2 else WORDS[1:] if len(set(captions[:few])) < 2 else ()
    return {name: UNKNOWN if name in unknown else metrics for name, metrics in scores.items()}


def _own(model: CaptionedModel, images: Images, real: Vectors, captions: Sequence[str]) -> dict[str, Any]:
    """Of what only this kind of model has."""
    prior = {"prior": calibrate_prior(model, real, captions)} if isinstance(model, TextToImage) else {}
    return {**_reconstruction(model, images), **prior}


def _reconstruction(model: CaptionedModel, images: Images) -> dict[str, dict[str, float]]:
    """What the autoencoder leaves of images, where the model has one."""
    if not isinstance(model, LatentPipeline):
        return {}
    return {"autoencoder": score_reconstruction(model.reconstruct_images, images)}


def _roughness(made: Images, real: Images) -> dict[str, float]:
    return {"generated": roughness(made), "real": roughness(real)}


def score_clip(model: CaptionedModel, real: Vectors, captions: Sequence[str]) -> dict[str, float]:
    """Retrieval of captions by images."""
    texts, right = distinct(captions)
    return retrieval(real, model.embed_captions(texts), right)


def score_classes(
    model: CaptionedModel, real: Vectors, captions: Sequence[str], every: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Zero-shot accuracy among all classes of the data, also those that none of these show; nothing without any."""
    if not are_classes(every):
        return {}
    names = sorted(set(every))
    classes = label_embeddings(model, names)
    return {"zero_shot": zero_shot(real, classes, [names.index(c) for c in captions])}


def score_prior(model: TextToImage, real: Vectors, captions: Sequence[str]) -> dict[str, float]:
    """Cosines of the prior's embeddings with the true ones, both centred by the prior's mean."""
    made, true = _centred(model, prior_embeddings(model, captions), real)
    return matched_against_shuffled(made, true, captions)


def calibrate_prior(model: TextToImage, real: Vectors, captions: Sequence[str]) -> dict[str, Any]:
    """`score_prior`, and whether the prior samples as widely as the truth does (`calibration`)."""
    first, second = (prior_embeddings(model, captions, seed) for seed in (0, OTHER))
    made, again, true = _centred(model, first, second, real)
    cosine, repeat = ((made * other).sum(1) for other in (true, again))
    return {**matched_against_shuffled(made, true, captions), **calibration(cosine, repeat, captions, seed=0)}


def prior_embeddings(model: TextToImage, captions: Sequence[str], seed: int = 0) -> Vectors:
    """A sample of the model's prior for each caption; that of caption i has seed + i."""
    parts = []
    for i in range(0, len(captions), BATCH):
        some = captions[i : i + BATCH]
        parts.append(model.embed_prompts(some, range(seed + i, seed + i + len(some))))
    return torch.cat(parts)


def _centred(model: TextToImage, *embeddings: Vectors) -> list[Vectors]:
    mean = require(model.prior, "prior").mean
    return [F.normalize(z - mean, dim=-1) for z in embeddings]


@dataclass(frozen=True)
class Embedded:
    """Images with their embeddings by the model's own CLIP."""

    images: Images
    z: Vectors


def score_pictures(model: CaptionedModel, made: Embedded, real: Embedded, captions: Sequence[str]) -> dict[str, Any]:
    """CLIP score, retrieval and roughness of generated and real images, by the model's own CLIP."""
    texts = model.embed_captions(captions)
    return {
        "clip_score": matched_against_shuffled(made.z, texts, captions),
        "clip_score_real": matched_against_shuffled(real.z, texts, captions),
        "generated_retrieval": score_clip(model, made.z, captions),
        "roughness": _roughness(made.images, real.images),
    }


def among_all(
    model: CaptionedModel, embeddings: Mapping[str, Vectors], captions: Sequence[str], every: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Retrieval among all captions of the data set (`ALL` of them at the most), by each set of images' embeddings: far
    harder than among the judged captions alone."""
    known = list(dict.fromkeys([*captions, *every]))[:ALL]
    texts, right = model.embed_captions(known), [known.index(c) for c in captions]
    return {name: retrieval(z, texts, right) for name, z in embeddings.items()}


def evaluate_shapes(
    model: CaptionedModel, world: World, n: int = 200, seed: int = 0, settings: Settings | None = None
) -> dict[str, Any]:
    """The exact score: n prompts a category, each image read back by the parser.

    Category -> figure -> rate; also "geneval", GenEval's six of the same images, and "unseen_pairs": which pairs of
    colour and shape the world holds out, their set and its pool (None for others than the sets).
    """
    asked, scores = answered_prompts(model, world, n, seed, settings)
    groups = {**rates(asked, scores), "geneval": geneval(asked, scores)}
    number, whose = pool(world.unseen_pairs) or (None, None)
    names = [named(pair) for pair in by_shape(world.unseen_pairs)]
    return {
        **{group: {name: asdict(rate) for name, rate in metrics.items()} for group, metrics in groups.items()},
        "unseen_pairs": {"pairs": names, "set": number, "pool": whose},
    }


def answered_prompts(
    model: CaptionedModel, world: World, n: int, seed: int, settings: Settings | None = None
) -> tuple[list[Prompt], list[Score]]:
    """n prompts a category, and how well the image that the model draws answers each."""
    asked = [prompt for prompt, _ in scored_prompts(world, n, seed)]
    made = generate_for_captions(model, [p.text for p in asked], seed, settings)
    return asked, score_each(list(to_pixels(made)), asked)


def generate_for_captions(
    model: CaptionedModel, captions: Sequence[str], seed: int, settings: Settings | None = None
) -> Images:
    """One image a caption as tensors in [-1, 1] on the CPU; image i has seed + i."""
    parts = []
    for i in range(0, len(captions), BATCH):
        some = captions[i : i + BATCH]
        *_, last = model.steps(some, range(seed + i, seed + i + len(some)), settings)
        parts.append(last.x.float().clamp(-1, 1).cpu())
    return torch.cat(parts)


@torch.no_grad()
def decode_embeddings(
    model: TextToImage, z: Vectors, captions: Sequence[str], seed: int, how: Sampling | None = None
) -> Images:
    """One image for each embedding and caption as tensors in [-1, 1] on the CPU; image i has seed + i.

    how: None: as the decoder was stored.
    """
    parts = []
    for i in range(0, len(captions), BATCH):
        some = captions[i : i + BATCH]
        *_, last = model.decode(z[i : i + BATCH], some, range(seed + i, seed + i + len(some)), how or model.sampling)
        parts.append(last.x.float().clamp(-1, 1).cpu())
    return torch.cat(parts)

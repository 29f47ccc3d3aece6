"""`unclip evaluate`: every score of a finished run, on pairs that it did not train on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from unclip.core.typing import Images, Vectors
from unclip.data.classes import are_classes
from unclip.data.loader import to_pixels, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.data.shapes.captions import CATEGORIES, prompts
from unclip.data.shapes.parse import score_many
from unclip.data.shapes.world import World
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.distances import kid, roughness
from unclip.evaluation.reconstruction import score_reconstruction
from unclip.evaluation.retrieval import distinct, retrieval, zero_shot
from unclip.generation.captioned import CaptionedModel
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.latents.zero_shot import label_embeddings

BATCH = 64
WORDS = ("retrieval", "prior", "clip_score", "clip_score_real", "generated_retrieval")
"""Scores that compare a caption with others; all but the first, of those images for which some are generated."""
UNKNOWN = "cannot be known: all captions are the same"
"""In the place of such a score."""


def evaluate_pairs(
    model: CaptionedModel, prepared: Prepared, rows: np.ndarray, n: int = 256, seed: int = 0
) -> dict[str, Any]:
    """Scores on the pairs `rows`: retrieval, zero-shot accuracy where the captions of the whole data set are classes,
    prior or autoencoder, and images generated for the captions of n of them."""
    captions = [prepared.captions[r][0] for r in rows]
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} image: a score needs at least 2")
    images = to_tensor(prepared.images[rows])
    real = model.embed_images(images)
    few = min(n, len(rows))
    scores = {
        "retrieval": score_clip(model, real, captions),
        **score_classes(model, real, captions, [c[0] for c in prepared.captions]),
        **_own(model, images[:few], real[:few], captions[:few]),
        **score_pictures(model, images[:few], real[:few], captions[:few], seed),
    }
    unknown = WORDS if len(set(captions)) < 2 else WORDS[1:] if len(set(captions[:few])) < 2 else ()
    return {name: UNKNOWN if name in unknown else metrics for name, metrics in scores.items()}


def _own(model: CaptionedModel, images: Images, real: Vectors, captions: Sequence[str]) -> dict[str, Any]:
    """Of what only this kind of model has."""
    if isinstance(model, LatentPipeline):
        return {"autoencoder": score_reconstruction(model.reconstruct_images, images)}
    return {"prior": score_prior(model, real, captions)} if isinstance(model, TextToImage) else {}


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
    mean = require(model.prior, "prior").mean
    parts = [
        model.embed_prompts(captions[i : i + BATCH], range(i, i + len(captions[i : i + BATCH])))
        for i in range(0, len(captions), BATCH)
    ]
    made, true = (F.normalize(z - mean, dim=-1) for z in (torch.cat(parts), real))
    return matched_against_shuffled(made, true, captions)


def score_pictures(
    model: CaptionedModel, images: Images, real: Vectors, captions: Sequence[str], seed: int
) -> dict[str, Any]:
    """CLIP score, retrieval and kernel distance of generated images, beside those of the real ones."""
    made = generate_for_captions(model, captions, seed)
    fake, texts = model.embed_images(made), model.embed_captions(captions)
    unique, right = distinct(captions)
    return {
        "clip_score": matched_against_shuffled(fake, texts, captions),
        "clip_score_real": matched_against_shuffled(real, texts, captions),
        "generated_retrieval": retrieval(fake, model.embed_captions(unique), right),
        "kid": {"own_clip": kid(fake, real)} if len(captions) > 1 else {},
        "roughness": {"generated": roughness(made), "real": roughness(images)},
    }


def evaluate_shapes(
    model: CaptionedModel, world: World, n: int = 200, seed: int = 0, settings: Settings | None = None
) -> dict[str, Any]:
    """The exact score: n prompts a category, each image read back by the parser."""
    asked = [p for category in CATEGORIES for p in prompts(world, category, n, seed)]
    made = generate_for_captions(model, [p.text for p in asked], seed, settings)
    rates = score_many(list(to_pixels(made)), asked)
    return {c: {k: vars(r) for k, r in metrics.items()} for c, metrics in rates.items()}


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

"""Fidelity against diversity over the decoder's guidance scale, as GLIDE (Nichol et al. 2021) and unCLIP compare it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from unclip.core.typing import Images, PerSample, Vectors
from unclip.data.shapes.captions import CATEGORIES
from unclip.data.shapes.world import World
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.levels import Mean
from unclip.evaluation.retrieval import distinct
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.suite import evaluate_shapes, generate_for_captions
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage

PROMPTS, SEEDS = 12, 4
"""Prompts whose images are compared with each other, and images of each."""


def at_scale(
    model: TextToImage, images: Images, captions: Sequence[str], settings: Settings, seed: int, world: World | None
) -> dict[str, Any]:
    """At one guidance scale: CLIP score and kernel distance of an image for each caption, and diversity.

    diversity: mean CLIP distance (1 - cosine) between images of one prompt by several seeds. world: of a run of drawn
    shapes, whose images have an exact score.
    """
    made = generate_for_captions(model, captions, seed, settings)
    fake, real, texts = model.embed_images(made), model.embed_images(images), model.embed_captions(captions)
    scores: dict[str, Any] = {
        "clip_score": matched_against_shuffled(fake, texts, captions),
        "kid": kid_scores(fake, real, seed),
        "diversity": asdict(Mean.of(diversity(model, distinct(captions)[0][:PROMPTS], seed, settings))),
    }
    if world is not None:
        found = evaluate_shapes(model, world, max(8, len(captions) // 4), seed, settings)
        rates = [found[category] for category in CATEGORIES]
        whole = torch.tensor([rate["whole"]["fraction"] for rate in rates])
        errors = torch.tensor([rate["whole"]["error"] for rate in rates])
        scores["exact"] = {"mean": whole.mean().item(), "error": errors.norm().item() / len(errors)}
    return scores


def diversity(model: TextToImage, prompts: Sequence[str], seed: int, settings: Settings) -> PerSample:
    """For each prompt the mean of 1 - cosine over all pairs of its images."""
    asked = [prompt for prompt in prompts for _ in range(SEEDS)]
    z = model.embed_images(generate_for_captions(model, asked, seed, settings)).float().cpu()
    return apart(z.unflatten(0, (len(prompts), SEEDS)))


def apart(z: torch.Tensor) -> PerSample:
    """Unit vectors [groups, members, d] -> the mean of 1 - cosine over the pairs of each group."""
    members = z.shape[1]
    cosines: Vectors = (z @ z.transpose(1, 2)).flatten(1)
    return 1 - (cosines.sum(1) - members) / (members * (members - 1))

"""Fidelity against diversity over the decoder's guidance scale, as GLIDE (Nichol et al. 2021) and unCLIP compare it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from unclip.core.typing import Images, PerSample, Vectors
from unclip.data.shapes.rates import rates
from unclip.data.shapes.world import World
from unclip.evaluation.alignment import matched_against_shuffled, partners
from unclip.evaluation.levels import Mean
from unclip.evaluation.retrieval import distinct
from unclip.evaluation.scenes import mean_over_categories
from unclip.evaluation.sets.beside import KernelDistance, Measured, Setting, Values
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.suite import answered_prompts, generate_for_captions
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage

PROMPTS, SEEDS = 12, 4
"""Prompts whose images are compared with each other, and images of each."""


def at_scale(
    model: TextToImage, images: Images, captions: Sequence[str], settings: Settings, seed: int, world: World | None
) -> Setting:
    """At one guidance scale: CLIP score and kernel distance of an image for each caption, and diversity.

    diversity: mean CLIP distance (1 - cosine) between images of one prompt by several seeds. world: of a run of drawn
    shapes, whose images have an exact score.
    """
    made = generate_for_captions(model, captions, seed, settings)
    fake, real, texts = model.embed_images(made), model.embed_images(images), model.embed_captions(captions)
    asked, own = distinct(captions)[0][:PROMPTS], (fake * texts).sum(1)
    distances = diversity(model, asked, seed, settings)
    scores: dict[str, Any] = {
        "clip_score": matched_against_shuffled(fake, texts, captions),
        "kid": kid_scores(fake, real, seed),
        "diversity": asdict(Mean.of(distances)),
    }
    measured: dict[str, Measured] = {
        "CLIP score": Values(own, captions),
        "above shuffled": Values(own - (fake * texts[partners(captions)]).sum(1), captions),
        "KID": KernelDistance(scores["kid"]["mean"], fake, real, captions),
        "diversity": Values(distances, asked),
    }
    if world is not None:
        scores["exact"], measured["exact"] = exact(model, world, max(8, len(captions) // 4), seed, settings)
    return Setting(scores, measured)


def exact(model: TextToImage, world: World, n: int, seed: int, settings: Settings) -> tuple[dict[str, float], Values]:
    """Whole scenes right as a mean over the categories, n prompts each: with its error, and scene by scene."""
    asked, scores = answered_prompts(model, world, n, seed, settings)
    found = [metrics["whole"] for metrics in rates(asked, scores).values()]
    whole, errors = torch.tensor([rate.fraction for rate in found]), torch.tensor([rate.error for rate in found])
    shares = {"mean": whole.mean().item(), "error": errors.norm().item() / len(errors)}
    return shares, mean_over_categories(asked, scores)


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

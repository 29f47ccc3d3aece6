"""The noise-aware classifier of a DDPM with classes, as a stage that `unclip add` trains."""

import math

import numpy as np
import torch

from unclip.core.noise import Noise
from unclip.data.loader import chosen, to_tensor
from unclip.diffusion.level import noised
from unclip.models.classifier import ClassifierConfig, NoisyClassifier
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import PictureFeed
from unclip.recipes.gates import judged
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.ddpm import labels

LEVELS = (6.0, 2.0, 0.0, -2.0)
"""Log-SNRs at which the classifier is judged; at -2 the noise is 2.7 times the picture."""


def classifier_stage(ctx: Context) -> Stage:
    """Trained on the DDPM's own pictures, classes and noise levels. Raises ValueError for a DDPM without classes."""
    config, r, recipe = ctx.ddpm.config, ctx.config.classifier, ctx.config.ddpm
    if not config.classes:
        raise ValueError("stage 'classifier': this model knows no classes; train one with --classes")
    made = ClassifierConfig(len(config.classes), config.network.channels, r.widths, schedule=config.diffusion.schedule)
    feed = PictureFeed(
        ctx.prepared,
        ctx.split[0],
        r.train.batch,
        ctx.config.seed,
        labels(ctx),
        config.network.channels,
        recipe.flip,
    )
    module = NoisyClassifier(made).to(ctx.device)
    return Stage("classifier", module, feed, r.train, r.share, lambda model: judged(ctx, classifier_gate, model))


def classifier_gate(ctx: Context, rows: np.ndarray, model: NoisyClassifier) -> Gate:
    """At equal parts of signal and noise it must be right twice as often as chance, by three standard errors."""
    numbers = torch.from_numpy(labels(ctx)[rows]).to(ctx.device)
    images = to_tensor(chosen(ctx.prepared.images, rows, model.config.channels)).to(ctx.device)
    eps = Noise.shared(ctx.config.seed, "classifier", device=ctx.device).normal(images.shape)
    figures = {f"right_at_{level:g}": right(model, images, numbers, level, eps) for level in LEVELS}
    chance = 1 / model.config.classes
    error = (chance * (1 - chance) / len(rows)) ** 0.5
    why = ", ".join(f"{figures[f'right_at_{level:g}']:.0%} at log-SNR {level:g}" for level in LEVELS)
    good = figures["right_at_0"] >= max(2 * chance, chance + 3 * error)
    return Gate("classifier", good, f"right for {why}; chance {chance:.0%}", figures)


def right(
    model: NoisyClassifier, images: torch.Tensor, numbers: torch.Tensor, level: float, eps: torch.Tensor
) -> float:
    """Share of the pictures whose class is told at this level; nan where the scores are no numbers."""
    log_snr = torch.full((len(images),), level, device=images.device)
    x, found = noised(images, log_snr, eps), []
    for i in range(0, len(x), 128):
        found.append(model(x[i : i + 128], log_snr[i : i + 128]))
    if any(bool(scores.isnan().any()) for scores in found):
        return math.nan
    return (torch.cat(found).argmax(1) == numbers).float().mean().item()

"""The noise-aware classifier of a DDPM with classes, as a stage that `unclip add` trains."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from unclip.core.config.ranges import Share, Widths
from unclip.core.noise import Noise
from unclip.data.loader import select_rows, to_tensor
from unclip.diffusion.level import noised
from unclip.models.classifier import ClassifierConfig, NoisyClassifier
from unclip.models.ddpm import DDPM
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.ddpm import DDPMRecipe
from unclip.recipes.stages.families.classed import labels, pictures
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

LEVELS = (6.0, 2.0, 0.0, -2.0)
"""Log-SNRs at which the classifier is judged; at -2 the noise is 2.7 times the image."""


@dataclass(frozen=True)
class ClassifierRecipe(StageRecipe):
    """The noise-aware classifier that can guide a DDPM with classes; it sees the levels that the DDPM is trained on."""

    name: ClassVar[str] = "classifier"
    added_to: ClassVar[tuple[str, ...]] = ("ddpm",)
    follows: ClassVar[tuple[str, ...]] = ("ddpm",)
    reads_captions: ClassVar[bool] = False

    widths: Widths = (32, 64, 96, 128)
    share: Share = 0.3
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))

    def largest(self, config: RunConfig, words: TokenizerSize) -> NoisyClassifier:
        return NoisyClassifier(ClassifierConfig(classes=2, widths=self.widths))

    def build(self, ctx: Context, name: str) -> Stage[NoisyClassifier]:
        """On the DDPM's own images, classes and noise levels. Raises ValueError for a DDPM without classes."""
        config = ctx.finished("ddpm", DDPM).config
        if not config.classes:
            raise ValueError("stage 'classifier': this model knows no classes; train one with --classes")
        levels = config.diffusion.schedule
        made = ClassifierConfig(len(config.classes), config.network.channels, self.widths, schedule=levels)
        of = ctx.config.of(DDPMRecipe)
        batches = pictures(ctx, of, of.network.channels, self.train.batch)
        return Stage(NoisyClassifier(made).to(ctx.device), batches, lambda model: judge(ctx, classifier_gate, model))


def classifier_gate(ctx: Context, rows: np.ndarray, model: NoisyClassifier) -> Gate:
    """At equal parts of signal and noise it must be right twice as often as chance, by three standard errors."""
    numbers = torch.from_numpy(labels(ctx)[rows]).to(ctx.device)
    images = to_tensor(select_rows(ctx.prepared.images, rows, model.config.channels)).to(ctx.device)
    eps = Noise.shared(ctx.config.seed, "classifier", device=ctx.device).normal(images.shape)
    metrics = {f"right_at_{level:g}": right(model, images, numbers, level, eps) for level in LEVELS}
    chance = 1 / model.config.classes
    error = (chance * (1 - chance) / len(rows)) ** 0.5
    why = ", ".join(f"{metrics[f'right_at_{level:g}']:.0%} at log-SNR {level:g}" for level in LEVELS)
    good = metrics["right_at_0"] >= max(2 * chance, chance + 3 * error)
    return Gate("classifier", good, f"right for {why}; chance {chance:.0%}", metrics)


def right(
    model: NoisyClassifier, images: torch.Tensor, numbers: torch.Tensor, level: float, eps: torch.Tensor
) -> float:
    """Share of the images whose class is told at this level; nan where the scores are not numbers."""
    log_snr = torch.full((len(images),), level, device=images.device)
    x, found = noised(images, log_snr, eps), []
    for i in range(0, len(x), 128):
        found.append(model(x[i : i + 128], log_snr[i : i + 128]))
    if any(bool(scores.isnan().any()) for scores in found):
        return math.nan
    return (torch.cat(found).argmax(1) == numbers).float().mean().item()

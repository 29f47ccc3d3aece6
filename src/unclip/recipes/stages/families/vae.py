"""The one stage of a variational autoencoder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from torch import nn

from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.evaluation import likelihood
from unclip.generation.one_pass import VAEPipeline
from unclip.models.families.base import check_side
from unclip.models.families.vae import VAE, VAEConfig, VAEOptions
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, TokenizerSize
from unclip.recipes.stages.families.classed import ClassRecipe, class_verdict, look, pictures, preview, usual_training
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class VAERecipe(VAEOptions, ClassRecipe):
    """A variational autoencoder of images alone, or with classes."""

    name: ClassVar[str] = "vae"
    takes_lora: ClassVar[bool] = False
    trained_by: ClassVar[tuple[str, ...]] = ("vae",)

    classes: bool = False
    flip: bool = True
    share: Share = 1.0
    train: TrainConfig = field(default_factory=usual_training)

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        check_side(size, self.network.multiple)

    def config(self, size: int, classes: tuple[str, ...]) -> VAEConfig:
        """The model that these settings mean."""
        return VAEConfig(**options(self, VAEOptions), size=size, classes=classes)

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return VAE(self.config(config.size, ()))

    def build(self, ctx: Context, name: str) -> Stage[VAE]:
        """On images and, where asked, their classes."""

        def whole(module: VAE) -> VAEPipeline:
            return VAEPipeline(module, device=ctx.device, precision=ctx.precision)

        return Stage(
            VAE(self.config(ctx.config.size, self.names(ctx))).to(ctx.device),
            pictures(ctx, self, self.network.channels, self.train.batch),
            gate=lambda module: judge(ctx, vae_gate, whole(module)),
            preview=lambda module: preview(ctx, whole(module)),
        )


def vae_gate(ctx: Context, rows: np.ndarray, model: VAEPipeline) -> Gate:
    """Images are of the data's kind rather than noise, the bound is finite, the right class explains an image best."""
    seen = look(ctx, rows, model)
    bits = likelihood.by_samples(model.model, seen.real, seen.labels, 1, ctx.config.seed, model.device)
    knows, told, figures = class_verdict(model, seen, ctx.config.seed)
    metrics = {**seen.like.metrics, "bits": bits.mean, "bits_error": bits.error, **figures}
    good = not seen.like.noise and math.isfinite(bits.mean) and knows
    return Gate("vae", good, f"{seen.like.said()}; {bits.mean:.2f} bits/dim by the bound{told}", metrics)

"""The one stage of a plain DDPM: what it is built of, fed with, previewed and judged by."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from torch import nn

from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.diffusion.guidance import ClassifierFree, Unguided
from unclip.diffusion.likelihood import summarise
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DPMSolverPP2M
from unclip.diffusion.schedules import LogNormal
from unclip.evaluation import likelihood
from unclip.generation.ddpm import DDPMPipeline
from unclip.models.ddpm import DDPM, DDPMConfig, DDPMOptions
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, TokenizerSize
from unclip.recipes.stages.batches import check_multiple
from unclip.recipes.stages.families.classed import ClassRecipe, class_verdict, look, pictures, preview
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

GLANCE = 4
"""Steps of the chain an image: enough to see that bits/dim are a number; `unclip evaluate --bpd` measures them."""


def fast_diffusion() -> DiffusionConfig:
    """EDM preconditioning; levels around log-SNR 1 for the images, wide enough for bits/dim: from -10 to 12."""
    return DiffusionConfig(LogNormal(mean=-0.5, std=1.7, s_min=0.0025, s_max=160.0), limit=1.0)


def fast_sampling() -> Sampling:
    """12 steps of DPM-Solver++ 2M, by both judges nearer to the data than 50 ancestral ones (docs/experiments.md).

    With classes, guidance 3: at 1.5 a briefly trained model shows fewer of them."""
    return Sampling(steps=12, sampler=DPMSolverPP2M(), guidance=ClassifierFree(3.0, limit=1.0))


@dataclass(frozen=True)
class DDPMRecipe(DDPMOptions, ClassRecipe):
    """A plain DDPM: images alone, or with classes. network: any of the family; its vector_width follows the classes.

    flip: train on mirrored images too; wrong where left and right mean something (digits, captions).
    """

    name: ClassVar[str] = "ddpm"
    trained_by: ClassVar[tuple[str, ...]] = ("ddpm",)
    gate_previews: ClassVar[float] = 7.0

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(48, 96), blocks=(1, 4), attention=(False, True))
    )
    diffusion: DiffusionConfig = field(default_factory=fast_diffusion)
    sampling: Sampling = field(default_factory=fast_sampling)
    classes: bool = False
    flip: bool = True
    share: Share = 1.0
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        check_multiple(size, self.network)

    def config(self, size: int, classes: tuple[str, ...]) -> DDPMConfig:
        """The model that these settings mean; without classes there is nothing to guide towards."""
        network = self.network.changed(vector_width=len(classes), learned_variance=self.diffusion.vlb_weight > 0)
        sampling = self.sampling if classes else replace(self.sampling, guidance=Unguided())
        chosen = options(self, DDPMOptions, network=network, sampling=sampling)
        return DDPMConfig(**chosen, size=size, classes=classes)

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return self.network.build()

    def build(self, ctx: Context, name: str) -> Stage[DDPM]:
        """On images and, where asked, their classes."""

        def whole(module: DDPM) -> DDPMPipeline:
            return DDPMPipeline(module, device=ctx.device, precision=ctx.precision)

        return Stage(
            DDPM(self.config(ctx.config.size, self.names(ctx))).to(ctx.device),
            pictures(ctx, self, self.network.channels, self.train.batch),
            gate=lambda module: judge(ctx, ddpm_gate, whole(module)),
            preview=lambda module: preview(ctx, whole(module)),
        )


def ddpm_gate(ctx: Context, rows: np.ndarray, model: DDPMPipeline) -> Gate:
    """Images are of the data's kind rather than noise, bits/dim are finite, the right class explains an image best."""
    seen = look(ctx, rows, model)
    bits = summarise(likelihood.bound(model, seen.real, seen.labels, GLANCE, ctx.config.seed)).total
    knows, told, figures = class_verdict(model, seen, ctx.config.seed)
    metrics = {**seen.like.metrics, "bits": bits.mean, "bits_error": bits.error, **figures}
    good = not seen.like.noise and math.isfinite(bits.mean) and knows
    return Gate("ddpm", good, f"{seen.like.said()}; {bits.mean:.2f} bits/dim{told}", metrics)

"""The one stage of a plain DDPM: what it is built of, fed with, previewed and judged by."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from PIL import Image
from torch import nn

from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.core.typing import Images
from unclip.diffusion.guidance import ClassifierFree, Unguided
from unclip.diffusion.likelihood import summarise
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import LogNormal
from unclip.evaluation import likelihood
from unclip.evaluation import pictures as scores
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.settings import Settings
from unclip.images.files import grid, to_pictures
from unclip.models.ddpm import DDPM, DDPMConfig, DDPMOptions
from unclip.models.network import fitted
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import PictureFeed
from unclip.recipes.gates import PICTURES, judge, likeness_of
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Preview, Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.batches import check_multiple, drawn_anew
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

ROWS, COLUMNS = 8, 4
"""Of a preview."""
GLANCE = 4
"""Steps of the chain an image: enough to see that bits/dim are a number; `unclip evaluate --bpd` measures them."""


def fast_diffusion() -> DiffusionConfig:
    """EDM preconditioning; levels around log-SNR 1 for the images, wide enough for bits/dim: from -10 to 12."""
    return DiffusionConfig(LogNormal(mean=-0.5, std=1.7, s_min=0.0025, s_max=160.0), limit=1.0)


def fast_sampling() -> Sampling:
    """50 ancestral steps; with classes, guidance 3: at 1.5 a briefly trained model shows fewer of them."""
    return Sampling(steps=50, sampler=DDIM(eta=1.0), guidance=ClassifierFree(3.0, limit=1.0))


@dataclass(frozen=True)
class DDPMRecipe(DDPMOptions, StageRecipe):
    """A plain DDPM: images alone, or with classes. network: any of the family; its vector_width follows the classes.

    flip: train on mirrored images too; wrong where left and right mean something (digits, captions).
    """

    name: ClassVar[str] = "ddpm"
    trained_by: ClassVar[tuple[str, ...]] = ("ddpm",)
    reads_captions: ClassVar[bool] = False
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

    @property
    def captioned(self) -> bool:
        return self.classes

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        check_multiple(size, self.network)

    def config(self, size: int, classes: tuple[str, ...]) -> DDPMConfig:
        """The model that these settings mean; without classes there is nothing to guide towards."""
        network = fitted(self.network, vector_width=len(classes), learned_variance=self.diffusion.vlb_weight > 0)
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
            DDPM(self.config(ctx.config.size, ctx.classes if self.classes else ())).to(ctx.device),
            pictures(ctx, self, self.train.batch),
            gate=lambda module: judge(ctx, ddpm_gate, whole(module)),
            preview=lambda module: ddpm_preview(ctx, whole(module)),
        )


def pictures(ctx: Context, r: DDPMRecipe, batch: int) -> PictureFeed:
    """Batches of the images that a DDPM with these settings sees, with their classes where it knows them."""
    classes = labels(ctx) if r.classes else None
    return PictureFeed(ctx.prepared, ctx.splits.train, batch, ctx.config.seed, classes, r.network.channels, r.flip)


def labels(ctx: Context) -> np.ndarray:
    """The number of each image's class."""
    numbers = {name: i for i, name in enumerate(ctx.classes)}
    return np.array([numbers[captions[0]] for captions in ctx.prepared.captions], dtype=np.int64)


def ddpm_preview(ctx: Context, model: DDPMPipeline) -> Preview:
    """A sheet in few steps; without classes copies are looked for in it, with them in images of held-out classes."""
    picture, drawn = ddpm_sheet(model, scores.quick(model.sampling))
    return Preview(picture, drawn_anew(ctx, model) if model.classes else drawn)


def ddpm_sheet(model: DDPMPipeline, how: Settings) -> tuple[Image.Image, Images]:
    """A row a class (the first eight of them), or images of none, and the same as tensors."""
    rows = list(model.classes[:ROWS]) or [""] * ROWS
    seeds = [j + (0 if model.classes else i * COLUMNS) for i in range(len(rows)) for j in range(COLUMNS)]
    *_, last = model.steps([c for c in rows for _ in range(COLUMNS)], seeds, how)
    drawn = to_pictures(last.x.cpu())
    lines = [drawn[i : i + COLUMNS] for i in range(0, len(drawn), COLUMNS)]
    return grid(lines, rows if model.classes else None), last.x


def ddpm_gate(ctx: Context, rows: np.ndarray, model: DDPMPipeline) -> Gate:
    """Images are of the data's kind rather than noise, bits/dim are finite, the right class explains an image best."""
    real, own = scores.held_out(model, ctx.prepared, rows[:PICTURES])
    made = scores.generate_images(model, own, ctx.config.seed, scores.quick(model.sampling))
    like = likeness_of(ctx, made, real)
    bits = summarise(likelihood.bound(model, real, own, GLANCE, ctx.config.seed)).total
    metrics = {**like.metrics, "bits": bits.mean, "bits_error": bits.error}
    good, why = not like.noise and math.isfinite(bits.mean), f"{like.said()}; {bits.mean:.2f} bits/dim"
    if model.classes:
        gap = scores.class_gap(model.model, real, own, ctx.config.seed)
        metrics |= {"class_gap": gap["gap"], "class_error": gap["error"]}
        good = good and gap["gap"] > 3 * gap["error"]
        why += f"; loss with the right class {gap['right']:.4f}, with another {gap['wrong']:.4f}"
    return Gate("ddpm", good, why, metrics)

"""The one stage of a GAN: its two players, and whether it has collapsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

from unclip.core.config.base import options
from unclip.core.config.ranges import Share, Weight
from unclip.evaluation import pictures as scores
from unclip.evaluation.judging.likeness import SIDES
from unclip.evaluation.sets.distinct import Distinct, distinct_images
from unclip.generation.one_pass import GANPipeline
from unclip.generation.settings import Settings
from unclip.judges.judge import within
from unclip.judges.shipped import load
from unclip.models.families.base import check_side
from unclip.models.families.gan import GANConfig, GANLoss, GANOptions, GANTraining
from unclip.nn.generators.vector import VectorCoderConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Preview, Stage, TokenizerSize
from unclip.recipes.stages.copies import JUDGE
from unclip.recipes.stages.families.classed import ClassRecipe, look, pictures, preview
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

COUNTED = 64
"""Images among which distinct ones are counted."""
COLLAPSED = 0.25
"""Fewer distinct images than this share of those among as many real ones is a collapse."""
SETTLED, ENDED = 0.4, 0.9
"""Between these shares of the run a collapse stops it: before, the generator has not learned to draw anything; after,
the gate tells it."""
FEW_IMAGES = 5000
"""Of fewer training images a critic learns too much by heart: they are augmented."""


def narrow() -> VectorCoderConfig:
    """Narrower than of a VAE: a step passes both networks several times, and a GAN needs many steps."""
    return VectorCoderConfig(widths=(32, 48, 64))


def without_momentum() -> OptimConfig:
    """Each player answers the other as it is now: a mean of past gradients answers one that is gone, and the two then
    chase each other (Gidel et al. 2019)."""
    return OptimConfig(lr=1e-3, muon_lr=1.5e-3, beta1=0.0, beta2=0.9, decay=0.0, clip=1000.0, muon_momentum=0.0)


@dataclass(frozen=True)
class GANRecipe(GANOptions, ClassRecipe):
    """A GAN of images alone, or with classes.

    critic: its network. gamma: weight of the gradient penalties at the start. augment: whether the critic sees
    augmented images; auto: where there are fewer than 5,000 of them.
    """

    name: ClassVar[str] = "gan"
    takes_lora: ClassVar[bool] = False
    trained_by: ClassVar[tuple[str, ...]] = ("gan",)

    network: VectorCoderConfig = field(default_factory=narrow)
    critic: VectorCoderConfig = field(default_factory=narrow)
    gamma: Weight = 3.0
    augment: Literal["auto", "on", "off"] = "auto"
    classes: bool = False
    flip: bool = True
    share: Share = 1.0
    train: TrainConfig = field(default_factory=lambda: TrainConfig(16, without_momentum()))

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        """Raises ValueError where size, generator and critic do not fit each other."""
        check_side(size, self.network.multiple)
        check_side(size, self.critic.multiple)
        if self.critic.channels != self.network.channels:
            raise ValueError(
                f"gan.critic.channels = {self.critic.channels}, gan.network.channels = {self.network.channels}: both "
                "players see the same images; set both to 1 for grey ones, or to 3"
            )

    def config(self, size: int, classes: tuple[str, ...]) -> GANConfig:
        """The model that these settings mean."""
        return GANConfig(**options(self, GANOptions), size=size, classes=classes)

    def loss(self, images: int) -> GANLoss:
        """How it is trained on so many images."""
        few = self.augment == "on" or (self.augment == "auto" and images < FEW_IMAGES)
        return GANLoss(self.critic, self.gamma, few)

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return GANTraining(self.config(config.size, ()), self.loss(1))

    def build(self, ctx: Context, name: str) -> Stage[GANTraining]:
        """On images and, where asked, their classes."""

        def whole(module: GANTraining) -> GANPipeline:
            return GANPipeline(module.generator, device=ctx.device, precision=ctx.precision)

        config, loss = self.config(ctx.config.size, self.names(ctx)), self.loss(ctx.trained)
        training = GANTraining(config, loss).to(ctx.device)
        return Stage(
            training,
            pictures(ctx, self, self.network.channels, self.train.batch),
            gate=lambda module: judge(ctx, gan_gate, whole(module)),
            preview=lambda module: watched_preview(ctx, whole(module), training.share),
            kept=lambda module: module.generator,
        )


class Collapsed(ValueError):
    """A GAN draws a few images over and over."""


def watched_preview(ctx: Context, model: GANPipeline, share: float) -> Preview:
    """A sheet of samples. Raises Collapsed, with advice, once too few of them are different ones."""
    shown = preview(ctx, model)
    found = distinct(ctx, model) if SETTLED <= share < ENDED else None
    if found is not None and found.ratio < COLLAPSED:
        raise Collapsed(f"gan: {said(found)}: it has collapsed, and what it draws will not come back. {advice(ctx)}")
    return shown


def said(found: Distinct) -> str:
    """A part of a sentence."""
    return f"{found.made} of {found.n} generated images are distinct, {found.real} of as many real ones"


def advice(ctx: Context) -> str:
    """What helps against a collapse."""
    r = ctx.config.of(GANRecipe)
    ways = [
        f"--set gan.gamma={10 * r.gamma:g} (stronger gradient penalties)",
        f"--set gan.train.optim.lr={r.train.optim.lr / 3:.2g}",
        "" if r.loss(ctx.trained).augment else "--set gan.augment=on",
        f"a larger batch (--set gan.train.batch={4 * r.train.batch})",
    ]
    return f"What helps, in another --out: {', '.join(filter(None, ways))}"


@torch.no_grad()
def distinct(ctx: Context, model: GANPipeline) -> Distinct | None:
    """Distinct images among some that are generated and among as many of the training; None where these are too few."""
    rows = ctx.splits.train[:COUNTED]
    if len(rows) < COUNTED:
        return None
    real, own = scores.held_out(model, ctx.prepared, rows)
    made = scores.generate_images(model, own, 0, Settings())
    eyes = load(JUDGE, ctx.device)
    made, real = (eyes.features(within(x, *SIDES)) for x in (made, real))
    return distinct_images(made, real)


def gan_gate(ctx: Context, rows: np.ndarray, model: GANPipeline) -> Gate:
    """Images are of the data's kind rather than noise, and not a few of them over and over."""
    seen, found = look(ctx, rows, model), distinct(ctx, model)
    metrics, told = dict(seen.like.metrics), ""
    if found is not None:
        metrics |= {"distinct": float(found.made), "distinct_real": float(found.real)}
        told = f"; {said(found)}"
    collapsed = found is not None and found.ratio < COLLAPSED
    told += f": it has collapsed. {advice(ctx)}" if collapsed else ""
    return Gate("gan", not seen.like.noise and not collapsed, f"{seen.like.said()}{told}", metrics)

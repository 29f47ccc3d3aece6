"""The autoencoder of a latent diffusion as a stage: images to codes and back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from PIL import Image
from torch import nn

from unclip.clip.vision import VisionTower
from unclip.core.config.ranges import Share
from unclip.data.loader import to_tensor
from unclip.evaluation.fidelity.reconstruction import score_reconstruction
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.images.files import grid, to_pictures
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.autoencoder.perceptual import Perceptual
from unclip.models.autoencoder.training import AutoencoderLoss, AutoencoderTraining
from unclip.models.latent import LatentDiffusion
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import PICTURES, judge
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.batches import pictures_of
from unclip.recipes.stages.clip import CLIPRecipe
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

ENOUGH = 10.0
"""dB over the mean image: 90 % of the images' variance. A code that loses more is no base for a diffusion."""
ROUGHEST = 3.0
"""Decoded images this many times rougher than the data's are noise, or as many times smoother a blur."""
COLUMNS = 8
"""Of a preview."""


@dataclass(frozen=True)
class AutoencoderRecipe(StageRecipe):
    """Sizes of the autoencoder, the weights of its losses; share: of the time budget.

    frozen: whether the weights that it begins with stay as they are, those of a run that is started from.
    """

    name: ClassVar[str] = "autoencoder"
    trained_by: ClassVar[tuple[str, ...]] = ("latent",)
    follows: ClassVar[tuple[str, ...]] = ("clip",)
    reads_captions: ClassVar[bool] = False
    gate_previews: ClassVar[float] = 8.0
    takes_lora: ClassVar[bool] = False  # the weight of its critic is taken of a gradient of its own weights

    coder: CoderConfig = field(default_factory=CoderConfig)
    loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    frozen: bool = False
    share: Share = 0.3
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    @property
    def trained(self) -> bool:
        return not self.frozen

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        """Raises ValueError where CLIP has no stem of convolutions for the perceptual loss to look through, and where
        images of `size` px are too small for the critic."""
        if self.frozen:
            return
        loss, clip = self.loss, recipes[CLIPRecipe.name]
        if loss.perceptual and isinstance(clip, CLIPRecipe) and not clip.has_stem:
            shown = type(clip.image_encoder).__name__ if clip.image_encoder else clip.vision
            raise ValueError(
                f"clip.vision = {shown!r}: the perceptual loss looks through CLIP's stem of convolutions; take "
                "'conv', or autoencoder.loss.perceptual = 0"
            )
        if loss.critic_from < 1 and size < loss.critic.smallest:
            raise ValueError(
                f"size = {size}: autoencoder.loss.critic.layers = {loss.critic.layers} needs images of "
                f"{loss.critic.smallest} px; take fewer layers, or critic_from = 1 for none"
            )

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return Autoencoder(self.coder)

    def build(self, ctx: Context, name: str) -> Stage[AutoencoderTraining]:
        """On images alone, mirrored ones too; the stem of the run's CLIP sees how different they look."""
        tower = ctx.clip.vision
        eyes = Perceptual(tower) if isinstance(tower, VisionTower) else None
        return Stage(
            AutoencoderTraining(self.coder, self.loss, eyes).to(ctx.device),
            pictures_of(ctx, self.train.batch, flip=True),
            gate=lambda m: judge(ctx, autoencoder_gate, pipeline(ctx, m.autoencoder)),
            preview=lambda m: reconstructions(ctx, pipeline(ctx, m.autoencoder)),
            kept=lambda m: m.autoencoder,
        )


def pipeline(ctx: Context, autoencoder: Autoencoder, latent: LatentDiffusion | None = None) -> LatentPipeline:
    """What there is of the model so far."""
    return LatentPipeline(ctx.tokenizer, ctx.clip, autoencoder, latent, device=ctx.device, precision=ctx.precision)


def reconstructions(ctx: Context, model: LatentPipeline) -> Image.Image:
    """Held-out images, and below each row what is left of them."""
    rows = np.concatenate([ctx.splits.validation, ctx.splits.train])[: 4 * COLUMNS]
    images = to_tensor(ctx.prepared.images[rows])
    before, after = to_pictures(images), to_pictures(model.reconstruct_images(images).cpu())
    starts = range(0, len(before), COLUMNS)
    pairs = [(which, part[i : i + COLUMNS]) for i in starts for which, part in (("image", before), ("decoded", after))]
    return grid([part for _, part in pairs], [which for which, _ in pairs])


def autoencoder_gate(ctx: Context, rows: np.ndarray, model: LatentPipeline) -> Gate:
    """Codes keep nine tenths of the images' variance; what comes back is neither noise nor a blur; KL is a number."""
    images = to_tensor(ctx.prepared.images[rows[: 2 * PICTURES]])
    metrics = score_reconstruction(model.reconstruct_images, images)
    metrics["kl"] = model.autoencoder.encode(images.to(ctx.device)).kl().mean().item()
    gain, rough = metrics["gain"], metrics["roughness"]
    good = gain > ENOUGH and 1 / ROUGHEST < rough < ROUGHEST and math.isfinite(metrics["kl"])
    why = f"PSNR {metrics['psnr']:.1f} dB, {gain:.1f} dB over the mean image (needs {ENOUGH:.0f}); "
    return Gate("autoencoder", good, why + f"roughness {rough:.2f}x the data's; KL {metrics['kl']:.0f} nats", metrics)

"""The one stage of a normalizing flow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.core.noise import Noise
from unclip.evaluation import likelihood
from unclip.generation.one_pass import FlowPipeline
from unclip.models.families.base import check_side
from unclip.models.families.flow import Flow, FlowConfig, FlowOptions
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, TokenizerSize
from unclip.recipes.stages.families.classed import ClassRecipe, class_verdict, look, pictures, preview, usual_training
from unclip.training.trainer import TrainConfig

INVERTED = 40.0
"""dB of an image after the way to z and back, at the least: less is a network whose inverse loses digits."""


@dataclass(frozen=True)
class FlowRecipe(FlowOptions, ClassRecipe):
    """A normalizing flow of images alone, or with classes."""

    name: ClassVar[str] = "flow"
    takes_lora: ClassVar[bool] = False
    trained_by: ClassVar[tuple[str, ...]] = ("flow",)

    classes: bool = False
    flip: bool = True
    share: Share = 1.0
    train: TrainConfig = field(default_factory=usual_training)

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        check_side(size, self.network.multiple)

    def config(self, size: int, classes: tuple[str, ...]) -> FlowConfig:
        """The model that these settings mean."""
        return FlowConfig(**options(self, FlowOptions), size=size, classes=classes)

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return Flow(self.config(config.size, ()))

    def build(self, ctx: Context, name: str) -> Stage[Flow]:
        """On images and, where asked, their classes; the first batch gives the actnorms their first weights."""

        def whole(module: Flow) -> FlowPipeline:
            return FlowPipeline(module, device=ctx.device, precision=ctx.precision)

        flow = Flow(self.config(ctx.config.size, self.names(ctx))).to(ctx.device)
        feed = pictures(ctx, self, self.network.channels, self.train.batch)
        first = feed.whole(0).to(ctx.device)
        flow.fit(*flow.seen(first), Noise.shared(ctx.config.seed, "actnorm", device=ctx.device))
        return Stage(
            flow,
            feed,
            gate=lambda module: judge(ctx, flow_gate, whole(module)),
            preview=lambda module: preview(ctx, whole(module)),
        )


def flow_gate(ctx: Context, rows: np.ndarray, model: FlowPipeline) -> Gate:
    """Images are of the data's kind rather than noise, bits/dim are finite, z gives the image back, and the right class
    explains an image best."""
    seen = look(ctx, rows, model)
    bits = likelihood.by_samples(model.model, seen.real, seen.labels, 1, ctx.config.seed, model.device)
    psnr = inversion(model, seen.real, seen.labels)
    knows, told, figures = class_verdict(model, seen, ctx.config.seed)
    metrics = {**seen.like.metrics, "bits": bits.mean, "bits_error": bits.error, "inverted": psnr, **figures}
    good = not seen.like.noise and math.isfinite(bits.mean) and psnr > INVERTED and knows
    why = f"{seen.like.said()}; {bits.mean:.2f} bits/dim, dequantised; {psnr:.0f} dB after the way to z and back{told}"
    return Gate("flow", good, why, metrics)


@torch.no_grad()
def inversion(model: FlowPipeline, images: torch.Tensor, labels: torch.Tensor) -> float:
    """PSNR of images after the way to z and back, dB; infinite where nothing is lost."""
    x, which = images.to(model.device), labels.to(model.device)
    error = (model.model.decode(model.model.encode(x, which), which) - x).square().mean().item()
    return 10 * math.log10(4 / error) if error else math.inf

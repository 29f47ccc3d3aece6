"""What the stages of all priors share: their network, their batches, and the gate that judges them all."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from unclip.clip.model import CLIPConfig
from unclip.core.config.ranges import Count, Depth, Share
from unclip.core.typing import Vectors
from unclip.evaluation import suite
from unclip.evaluation.retrieval import distinct
from unclip.generation.text_to_image import TextToImage
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import clear, judge, pairs_of
from unclip.recipes.stages.base import Stage, StageRecipe
from unclip.recipes.stages.batches import assembled, feed
from unclip.recipes.stages.clip import heads
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class AnyPriorRecipe(StageRecipe):
    """Base of the priors' settings. width, layers: of the transformer."""

    width: Count = 192
    layers: Depth = 4
    share: Share = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))

    def transformer(self, clip: CLIPConfig, context: int) -> PriorNetConfig:
        """The network that fits this CLIP. context: tokens of the longest caption."""
        return PriorNetConfig(
            embedding_width=clip.width,
            token_width=clip.text.width,
            context=context,
            width=self.width,
            layers=self.layers,
            heads=heads(self.width),
        )

    def fitting(self, ctx: Context) -> PriorNetConfig:
        """The network that fits this run's CLIP."""
        return self.transformer(ctx.clip.config, ctx.tokenizer.context)

    def staged(self, ctx: Context, name: str, module: nn.Module) -> Stage[Any]:
        """A prior with its batches and its gate."""
        batches = feed(ctx, self.train)
        batches.with_images, batches.embeddings, batches.clip = False, ctx.embedded, ctx.clip

        def gate(prior: nn.Module) -> Gate:
            return replace(judge(ctx, prior_gate, assembled(ctx, clip=ctx.clip, prior=prior)), stage=name)

        return Stage(module.to(ctx.device), batches, gate)


def training_embeddings(ctx: Context) -> Vectors:
    """CLIP's embeddings of the training images."""
    return ctx.embeddings[torch.from_numpy(ctx.splits.train)]


def training_texts(ctx: Context) -> Vectors:
    """CLIP's embeddings of the training images' first captions."""
    texts, which = distinct([ctx.prepared.captions[row][0] for row in ctx.splits.train])
    return assembled(ctx, clip=ctx.clip).embed_captions(texts).float().cpu()[which]


def prior_gate(ctx: Context, rows: np.ndarray, model: TextToImage) -> Gate:
    """The prior's embeddings are nearer to the image of their caption than to another's, by three standard errors."""
    images, captions = pairs_of(ctx, rows, 256)
    metrics = suite.score_prior(model, model.embed_images(images), captions)
    why = f"cosine to the true embedding {metrics['matched']:.3f}, to another caption's {metrics['shuffled']:.3f}"
    return Gate("prior", clear(metrics), why, metrics)

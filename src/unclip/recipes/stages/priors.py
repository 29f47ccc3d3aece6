"""The priors as stages: diffusion in every run, autoregressive and one-step where `unclip add` trains them.

All learn from the frozen CLIP's embeddings of the training pictures, and all are judged by the same gate.
"""

import math
from dataclasses import replace

import torch
from torch import nn

from unclip.core.typing import Vectors
from unclip.evaluation.retrieval import distinct
from unclip.models.priors.autoregressive import AutoregressivePrior, AutoregressivePriorConfig
from unclip.models.priors.contrastive import ContrastivePrior, ContrastivePriorConfig
from unclip.models.priors.diffusion import Prior, PriorConfig, prior_sampling
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.nn.prior.pca import needed, principal
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judged, prior_gate
from unclip.recipes.settings.run import AutoregressivePriorRecipe, ContrastivePriorRecipe, PriorRecipe
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.batches import assembled, feed
from unclip.recipes.stages.clip import HEAD

PriorsRecipe = PriorRecipe | AutoregressivePriorRecipe | ContrastivePriorRecipe


def prior_stage(ctx: Context) -> Stage:
    """The diffusion prior."""
    r = ctx.config.prior
    sampling = replace(prior_sampling(), steps=r.steps)
    config = PriorConfig(
        network(ctx, r), sampling=sampling, drop_text=r.drop_text, candidates=r.candidates, scaling=r.scaling
    )
    module = Prior(config)
    module.statistics.fit(training_embeddings(ctx))
    return _stage(ctx, "prior", module, r)


def autoregressive_prior_stage(ctx: Context) -> Stage:
    """The autoregressive prior; how many components it keeps follows from the embeddings."""
    r, images = ctx.config.autoregressive_prior, training_embeddings(ctx)
    config = AutoregressivePriorConfig(
        network(ctx, r),
        dims=needed(principal(images)[2], r.explained),
        buckets=r.buckets,
        waves=r.waves,
        dots=r.dots,
        top=r.top,
        drop_text=r.drop_text,
        guidance=r.guidance,
        candidates=r.candidates,
    )
    module = AutoregressivePrior(config)
    module.fit(images, training_texts(ctx))
    return _stage(ctx, "autoregressive_prior", module, r)


def contrastive_prior_stage(ctx: Context) -> Stage:
    """The one-step prior, with the temperature that its CLIP has learned."""
    r = ctx.config.contrastive_prior
    scale = math.exp(ctx.clip.log_scale.item())
    module = ContrastivePrior(ContrastivePriorConfig(network(ctx, r), scale=scale, contrast=r.contrast))
    module.statistics.fit(training_embeddings(ctx))
    return _stage(ctx, "contrastive_prior", module, r)


def network(ctx: Context, r: PriorsRecipe) -> PriorNetConfig:
    """The transformer that fits this run's CLIP."""
    return PriorNetConfig(
        embedding_width=ctx.clip.config.width,
        token_width=ctx.clip.config.text.width,
        context=ctx.tokenizer.context,
        width=r.width,
        layers=r.layers,
        heads=max(1, r.width // HEAD),
    )


def training_embeddings(ctx: Context) -> Vectors:
    """CLIP's embeddings of the training pictures."""
    return ctx.embeddings[torch.from_numpy(ctx.split[0])]


def training_texts(ctx: Context) -> Vectors:
    """CLIP's embeddings of the training pictures' first captions."""
    texts, which = distinct([ctx.prepared.captions[row][0] for row in ctx.split[0]])
    return assembled(ctx, clip=ctx.clip).embed_captions(texts).float().cpu()[which]


def _stage(ctx: Context, name: str, module: nn.Module, r: PriorsRecipe) -> Stage:
    batches = feed(ctx, r.train)
    batches.pictures, batches.embeddings, batches.clip = False, ctx.embeddings, ctx.clip

    def gate(prior: Prior | AutoregressivePrior | ContrastivePrior) -> Gate:
        return replace(judged(ctx, prior_gate, assembled(ctx, clip=ctx.clip, prior=prior)), stage=name)

    return Stage(name, module.to(ctx.device), batches, r.train, r.share, gate)

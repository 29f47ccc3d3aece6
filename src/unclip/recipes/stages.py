"""The trained stages of a run: what each is built of, fed with, and judged by."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from unclip.clip.model import CLIP
from unclip.core.noise import initial_weights
from unclip.models.decoder import Decoder
from unclip.models.prior import Prior, PriorConfig, prior_sampling
from unclip.nn.prior_net import PriorNetConfig
from unclip.pipeline.images import grid, to_pictures
from unclip.pipeline.text_to_image import TextToImage
from unclip.recipes.classifier import classifier_stage
from unclip.recipes.clip import HEAD, clip_config
from unclip.recipes.context import Context
from unclip.recipes.ddpm import ddpm_stage
from unclip.recipes.decoder import decoder_config
from unclip.recipes.feed import Feed, distinct_captions
from unclip.recipes.gates import clip_gate, decoder_gate, judged, prior_gate
from unclip.recipes.inpaint import inpaint_stage
from unclip.recipes.noisy_clip import noisy_clip_stage
from unclip.recipes.stage import Stage
from unclip.train.trainer import TrainConfig


def stage(ctx: Context, name: str) -> Stage:
    """Builds a stage with its first weights, a function of the run's seed alone."""
    with initial_weights(ctx.config.seed, name):
        return STAGES[name](ctx)


def clip_stage(ctx: Context) -> Stage:
    """CLIP on pictures and captions."""
    r = ctx.config.clip
    module = CLIP(clip_config(r, ctx.config.size, ctx.tokenizer)).to(ctx.device)
    return Stage(
        "clip",
        module,
        feed(ctx, r.train),
        r.train,
        r.share,
        lambda clip: judged(ctx, clip_gate, assembled(ctx, clip=clip)),
    )


def prior_stage(ctx: Context) -> Stage:
    """The prior on the frozen CLIP's embeddings; pictures are not read."""
    r = ctx.config.prior
    network = PriorNetConfig(
        embedding_width=ctx.clip.config.width,
        token_width=ctx.clip.config.text.width,
        context=ctx.tokenizer.context,
        width=r.width,
        layers=r.layers,
        heads=max(1, r.width // HEAD),
    )
    sampling = replace(prior_sampling(), steps=r.steps)
    module = Prior(PriorConfig(network, sampling=sampling, drop_text=r.drop_text, candidates=r.candidates))
    module.statistics.fit(ctx.embeddings[torch.from_numpy(ctx.split[0])])
    batches = feed(ctx, r.train)
    batches.pictures, batches.embeddings, batches.clip = False, ctx.embeddings, ctx.clip
    return Stage(
        "prior",
        module.to(ctx.device),
        batches,
        r.train,
        r.share,
        lambda prior: judged(ctx, prior_gate, assembled(ctx, clip=ctx.clip, prior=prior)),
    )


def decoder_stage(ctx: Context) -> Stage:
    """The decoder; unless it has a text tower of its own, that starts as CLIP's, which already knows the words."""
    r = ctx.config.decoder
    module = Decoder(decoder_config(ctx.config, ctx.clip.config))
    module.statistics.fit(ctx.embeddings[torch.from_numpy(ctx.split[0])])
    if r.text == "clip":
        module.text.load_state_dict(ctx.clip.text.state_dict())
    batches = feed(ctx, r.train)
    batches.embeddings = ctx.embeddings

    def whole(decoder: Decoder) -> TextToImage:
        return assembled(ctx, clip=ctx.clip, prior=ctx.prior, decoder=decoder)

    return Stage(
        "decoder",
        module.to(ctx.device),
        batches,
        r.train,
        r.share,
        lambda decoder: judged(ctx, decoder_gate, whole(decoder)),
        lambda decoder: decoder_preview(ctx, whole(decoder)),
    )


def feed(ctx: Context, train: TrainConfig) -> Feed:
    """Batches of the training split."""
    return Feed(ctx.prepared, ctx.split[0], ctx.tokenizer, train.batch, ctx.config.seed)


def assembled(ctx: Context, **parts: Any) -> TextToImage:
    """What there is of the model so far."""
    return TextToImage(ctx.tokenizer, device=ctx.device, precision=ctx.precision, **parts)


def decoder_preview(ctx: Context, model: TextToImage, captions: int = 8, each: int = 4) -> Image.Image:
    """Pictures for held-out captions, a row a caption."""
    rows = distinct_captions(ctx.prepared, ctx.split[1], captions)
    asked = [ctx.prepared.captions[r][0] for r in rows]
    *_, last = model.steps([c for c in asked for _ in range(each)], [*range(each)] * len(asked))
    pictures = to_pictures(last.x.cpu())
    return grid([pictures[i : i + each] for i in range(0, len(pictures), each)], asked)


STAGES: dict[str, Callable[[Context], Stage]] = {
    "clip": clip_stage,
    "prior": prior_stage,
    "decoder": decoder_stage,
    "ddpm": ddpm_stage,
    "classifier": classifier_stage,
    "noisy_clip": noisy_clip_stage,
    "inpaint": inpaint_stage,
}
"""Stage -> what builds it."""

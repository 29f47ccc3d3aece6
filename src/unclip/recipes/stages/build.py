"""The trained stages of a run: what each is built of, fed with, and judged by."""

from collections.abc import Callable

import torch

from unclip.clip.model import CLIP
from unclip.core.noise import initial_weights
from unclip.generation.text_to_image import TextToImage
from unclip.models.decoder import Decoder
from unclip.recipes.context import Context
from unclip.recipes.gates import clip_gate, decoder_gate, judged
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.batches import assembled, feed, preview
from unclip.recipes.stages.classifier import classifier_stage
from unclip.recipes.stages.clip import clip_config
from unclip.recipes.stages.ddpm import ddpm_stage
from unclip.recipes.stages.decoder import decoder_config
from unclip.recipes.stages.inpaint import inpaint_stage
from unclip.recipes.stages.inpaint_upsampler import first_inpainting, second_inpainting
from unclip.recipes.stages.latent import autoencoder_stage, latent_stage
from unclip.recipes.stages.noisy_clip import noisy_clip_stage
from unclip.recipes.stages.priors import autoregressive_prior_stage, contrastive_prior_stage, prior_stage
from unclip.recipes.stages.upsampler import first_upsampler, second_upsampler


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
        lambda decoder: preview(ctx, whole(decoder)),
    )


STAGES: dict[str, Callable[[Context], Stage]] = {
    "clip": clip_stage,
    "prior": prior_stage,
    "decoder": decoder_stage,
    "autoencoder": autoencoder_stage,
    "latent": latent_stage,
    "ddpm": ddpm_stage,
    "classifier": classifier_stage,
    "upsampler": first_upsampler,
    "upsampler2": second_upsampler,
    "autoregressive_prior": autoregressive_prior_stage,
    "contrastive_prior": contrastive_prior_stage,
    "noisy_clip": noisy_clip_stage,
    "inpaint": inpaint_stage,
    "inpaint_upsampler": first_inpainting,
    "inpaint_upsampler2": second_inpainting,
}
"""Stage -> what builds it."""

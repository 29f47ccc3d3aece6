"""The two stages that a latent diffusion adds to CLIP: the autoencoder, and the diffusion over its codes."""

import math

import numpy as np
import torch
from PIL import Image

from unclip.clip.model import CLIPConfig
from unclip.clip.vision import VisionTower
from unclip.core.noise import Noise
from unclip.data.loader import to_tensor
from unclip.evaluation.reconstruction import score_reconstruction
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.images.files import grid, to_pictures
from unclip.models.autoencoder.model import Autoencoder, Posterior
from unclip.models.autoencoder.perceptual import Perceptual
from unclip.models.autoencoder.training import AutoencoderTraining
from unclip.models.latent import LatentConfig, LatentDiffusion
from unclip.models.network import fitted
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import PictureFeed
from unclip.recipes.gates import PICTURES, ROUGHEST, decoder_gate, judged
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.batches import feed, preview

ENOUGH = 10.0
"""dB over the mean picture: 90 % of the pictures' variance. A code that loses more is no base for a diffusion."""
COLUMNS = 8
"""Of a preview."""


def autoencoder_stage(ctx: Context) -> Stage:
    """The autoencoder on pictures alone, mirrored ones too; the stem of the run's CLIP sees how different they look."""
    r = ctx.config.autoencoder
    tower = ctx.clip.vision
    eyes = Perceptual(tower) if isinstance(tower, VisionTower) else None
    module = AutoencoderTraining(r.coder, r.loss, eyes).to(ctx.device)
    batches = PictureFeed(ctx.prepared, ctx.split[0], r.train.batch, ctx.config.seed, flip=True)
    return Stage(
        "autoencoder",
        module,
        batches,
        r.train,
        r.share,
        lambda m: judged(ctx, autoencoder_gate, assembled(ctx, m.autoencoder)),
        lambda m: reconstructions(ctx, assembled(ctx, m.autoencoder)),
        lambda m: m.autoencoder,
        gate_previews=8.0,
    )


def latent_stage(ctx: Context) -> Stage:
    """The diffusion over the codes of all pictures, which are made once; its text tower starts as CLIP's."""
    r = ctx.config.latent
    module = LatentDiffusion(latent_config(ctx.config, ctx.clip.config))
    codes = Posterior.of(ctx.latents[torch.from_numpy(ctx.split[0])])
    module.fit(codes.sample(Noise.shared(ctx.config.seed, "statistics")))
    module.text.load_state_dict(ctx.clip.text.state_dict())
    batches = feed(ctx, r.train)
    batches.pictures, batches.latents = False, ctx.latents
    return Stage(
        "latent",
        module.to(ctx.device),
        batches,
        r.train,
        r.share,
        lambda m: judged(ctx, latent_gate, assembled(ctx, ctx.autoencoder, m)),
        lambda m: preview(ctx, assembled(ctx, ctx.autoencoder, m)),
    )


def latent_config(config: RunConfig, clip: CLIPConfig) -> LatentConfig:
    """The diffusion that fits this autoencoder and this CLIP."""
    r, coder, width = config.latent, config.autoencoder.coder, clip.text.width
    return LatentConfig(
        side=config.size // coder.factor,
        text=clip.text,
        network=fitted(r.network, channels=coder.latent, vector_width=width, token_width=width),
        diffusion=r.diffusion,
        sampling=r.sampling,
        drop_caption=r.drop_caption,
    )


def assembled(ctx: Context, autoencoder: Autoencoder, latent: LatentDiffusion | None = None) -> LatentPipeline:
    """What there is of the model so far."""
    return LatentPipeline(ctx.tokenizer, ctx.clip, autoencoder, latent, device=ctx.device, precision=ctx.precision)


def reconstructions(ctx: Context, model: LatentPipeline) -> Image.Image:
    """Held-out pictures, and below each row what is left of them."""
    rows = np.concatenate(ctx.split[::-1])[: 4 * COLUMNS]
    images = to_tensor(ctx.prepared.images[rows])
    before, after = to_pictures(images), to_pictures(model.reconstruct_images(images).cpu())
    starts = range(0, len(before), COLUMNS)
    pairs = [
        (which, part[i : i + COLUMNS]) for i in starts for which, part in (("picture", before), ("decoded", after))
    ]
    return grid([part for _, part in pairs], [which for which, _ in pairs])


def autoencoder_gate(ctx: Context, rows: np.ndarray, model: LatentPipeline) -> Gate:
    """Codes keep nine tenths of the pictures' variance; what comes back is neither noise nor a blur; KL is a number."""
    images = to_tensor(ctx.prepared.images[rows[: 2 * PICTURES]])
    figures = score_reconstruction(model.reconstruct_images, images)
    figures["kl"] = model.autoencoder.encode(images.to(ctx.device)).kl().mean().item()
    gain, rough = figures["gain"], figures["roughness"]
    good = gain > ENOUGH and 1 / ROUGHEST < rough < ROUGHEST and math.isfinite(figures["kl"])
    why = f"PSNR {figures['psnr']:.1f} dB, {gain:.1f} dB over the mean picture (needs {ENOUGH:.0f}); "
    return Gate("autoencoder", good, why + f"roughness {rough:.2f}x the data's; KL {figures['kl']:.0f} nats", figures)


def latent_gate(ctx: Context, rows: np.ndarray, model: LatentPipeline) -> Gate:
    """As the decoder's: pictures fit their own captions better than others', and are not noise."""
    return decoder_gate(ctx, rows, model, "latent")

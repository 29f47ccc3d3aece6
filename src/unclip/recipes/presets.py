"""Complete runs by name: each a function that returns every setting."""

from collections.abc import Callable
from dataclasses import replace

from unclip.models.autoencoder.training import AutoencoderLoss
from unclip.models.codes import latent_diffusion, latent_sampling
from unclip.models.ddpm import ddpm_diffusion, ddpm_sampling
from unclip.models.decoder import decoder_diffusion, paper_diffusion, paper_sampling
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.autoencoder.patch_critic import PatchCriticConfig
from unclip.nn.backbones.diffusion_unet import adm_imagenet64
from unclip.nn.backbones.diffusion_unet import ddpm_cifar10 as ddpm_cifar10_network
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import AutoencoderRecipe, CLIPRecipe, DDPMRecipe, DecoderRecipe, LatentRecipe, PriorRecipe
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


def tiny(size: int = 64) -> RunConfig:
    """Two CPU cores, minutes: a decoder of codes above 32 px, where it was measured to be better than one of pixels."""
    return pixels_tiny(size) if size == 32 else codes_tiny(size)


def codes_tiny(size: int = 64) -> RunConfig:
    """Two CPU cores, minutes: the decoder denoises codes, at 8 x 8 positions of 128 channels, stepped by Muon."""
    network = UNetConfig(patch=1 if size == 32 else 2, widths=(128,), blocks=(6,), attention=(True,))
    diffusion, sampling = latent_diffusion(), latent_sampling()
    return _clipped(size, DecoderRecipe(network=network, diffusion=diffusion, sampling=sampling, space="codes"))


def pixels_tiny(size: int = 64) -> RunConfig:
    """The same with a decoder of pixels: narrow networks that keep 8 x 8 positions in every core."""
    if size == 32:
        return _clipped(size, DecoderRecipe())
    network = UNetConfig(patch=2, widths=(24, 48, 96), blocks=(1, 1, 4), attention=(False, False, True))
    return _clipped(size, DecoderRecipe(network=network, diffusion=decoder_diffusion(0.6, 1.4)))


def _clipped(size: int, decoder: DecoderRecipe) -> RunConfig:
    """With a small CLIP for images of 32 px, or of 64: another size is asked for later, and refused by its name."""
    clip = CLIPRecipe(vision_stem=(32, 64), vision_width=128) if size == 32 else CLIPRecipe()
    return RunConfig(size=32 if size == 32 else 64, recipes={"clip": clip, "decoder": decoder})


def small(size: int = 64) -> RunConfig:
    """One GPU, an hour or more: the same design, about ten times the parameters and larger batches."""
    clip = CLIPRecipe(
        width=256,
        text_width=256,
        text_layers=6,
        vision_stem=(64, 128, 256),
        vision_width=384,
        vision_layers=8,
        train=TrainConfig(512, OptimConfig(lr=5e-4, decay=0.1, warmup=500)),
    )
    patch = 2 if size == 32 else 4
    network = UNetConfig(patch=patch, widths=(128, 256, 384), blocks=(2, 2, 4), attention=(False, True, True))
    recipes: dict[str, Recipe] = {
        "clip": clip,
        "prior": PriorRecipe(width=512, layers=8, train=TrainConfig(512, OptimConfig(lr=3e-4, warmup=500))),
        "decoder": DecoderRecipe(network=network, train=TrainConfig(256, OptimConfig(lr=5e-4, warmup=500))),
    }
    return RunConfig(size=size, budget=3600.0, recipes=recipes)


def paper(size: int = 64) -> RunConfig:
    """The decoder of the paper (Ramesh et al. 2022, section 2.1 and appendix C, table 3), narrower, on one GPU.

    The paper's: GLIDE's U-Net of depth 3, multipliers 1, 2, 3, 4, attention at 32, 16 and 8 px in heads of 64 channels,
    dropout 0.1; T = 1000, cosine, eps, learned variance, sampled in 250 steps; a text transformer of its own; 10 % of
    embeddings and 50 % of captions dropped; Adam at 1.2e-4, beta2 0.999, without decay; average of decay 0.9999.
    Ours: width 192 (512 there), text 512 x 16 (2048 x 24), batch 256 (2048), a budget (800,000 steps), warm-up,
    gradient clipping, guidance 3; CLIP and the prior are those of `small`.
    """
    attention = (True, True, True, False) if size == 32 else (False, True, True, True)
    adam = OptimConfig(lr=1.2e-4, warmup=1000, decay=0.0, beta1=0.9, beta2=0.999, clip=1.0)
    decoder = DecoderRecipe(
        network=adm_imagenet64().changed(attention=attention, vector_width=0),
        text="own",
        text_width=512,
        text_layers=16,
        diffusion=paper_diffusion(),
        sampling=paper_sampling(),
        train=TrainConfig(256, adam, ema_decay=0.9999, cooldown=0.0),
    )
    return replace(small(size).using(decoder=decoder), budget=86400.0)


def ddpm_fast(size: int = 32) -> RunConfig:
    """A plain DDPM in minutes on two CPU cores: hourglass, EDM, Muon."""
    return RunConfig(model="ddpm", size=size)


def ddpm_cifar10(size: int = 32) -> RunConfig:
    """The CIFAR-10 settings of the DDPM paper (Ho et al. 2020, appendix B) and of its code.

    35.7 M parameters, T = 1000, eps, L_simple, Sigma = beta; Adam at 2e-4 after 5000 steps of warm-up, never lowered;
    batch 128; gradients clipped at 1; average of decay 0.9999; dropout 0.1; mirrored images; 800,000 steps.
    """
    adam = OptimConfig(lr=2e-4, warmup=5000, decay=0.0, beta1=0.9, beta2=0.999, clip=1.0)
    paper = DDPMRecipe(
        network=ddpm_cifar10_network(),
        diffusion=ddpm_diffusion(),
        sampling=ddpm_sampling(),
        train=TrainConfig(128, adam, steps=800_000, ema_decay=0.9999, cooldown=0.0),
    )
    return RunConfig(model="ddpm", size=size, recipes={"ddpm": paper})


def vae_fast(size: int = 32) -> RunConfig:
    """A variational autoencoder in minutes on two CPU cores."""
    return RunConfig(model="vae", size=size)


def flow_fast(size: int = 32) -> RunConfig:
    """A normalizing flow in minutes on two CPU cores."""
    return RunConfig(model="flow", size=size)


def gan_fast(size: int = 32) -> RunConfig:
    """A GAN in minutes on two CPU cores."""
    return RunConfig(model="gan", size=size)


def latent_tiny(size: int = 64) -> RunConfig:
    """Latent diffusion in minutes on two CPU cores: codes of 16 x 16 cells with 4 channels, whatever the size.

    12 numbers a cell become 4 at 32 px, 48 become 4 at 64 px; the network that denoises them is the same.
    """
    few = size <= 32
    coder = CoderConfig(widths=(48,) if few else (32, 64), blocks=2 if few else 1)
    loss = AutoencoderLoss(critic=PatchCriticConfig(layers=1 if few else 2))
    stem = (32, 64) if few else (32, 64, 128)
    recipes: dict[str, Recipe] = {
        "clip": CLIPRecipe(vision_stem=stem, vision_width=128 if few else 192, share=0.12),
        "autoencoder": AutoencoderRecipe(coder=coder, loss=loss),
        "latent": LatentRecipe(network=UNetConfig(patch=1, widths=(48, 96), blocks=(1, 4), attention=(False, True))),
    }
    return RunConfig(model="latent", size=size, recipes=recipes)


PRESETS: dict[str, Callable[[int], RunConfig]] = {
    "tiny": tiny,
    "small": small,
    "paper": paper,
    "latent-tiny": latent_tiny,
    "ddpm-fast": ddpm_fast,
    "ddpm-cifar10": ddpm_cifar10,
    "vae-fast": vae_fast,
    "flow-fast": flow_fast,
    "gan-fast": gan_fast,
    "codes-tiny": codes_tiny,
    "pixels-tiny": pixels_tiny,
}
"""Preset name -> settings for an image size."""
DEFAULTS = {
    "unclip": "tiny",
    "latent": "latent-tiny",
    "ddpm": "ddpm-fast",
    "vae": "vae-fast",
    "flow": "flow-fast",
    "gan": "gan-fast",
}
"""Model -> the preset where none is named."""

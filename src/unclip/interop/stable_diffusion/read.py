"""A whole `StableDiffusionPipeline` folder.

Captions are filled up with the tokenizer's padding to all that the text tower reads, and all of it is attended to.
"""

from dataclasses import dataclass
from pathlib import Path

from unclip.clip.model import CLIP
from unclip.core.noise import initial_weights
from unclip.interop import pipelines, weights
from unclip.interop.clip import tower, vocabulary
from unclip.interop.ddpm.scheduler import levels
from unclip.interop.parts import CONFIG
from unclip.interop.stable_diffusion import autoencoder, network, steps
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.latent import LatentConfig, LatentDiffusion
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.text.tokenizer import Tokenizer

NET = "diffusion.denoiser.network"
CHECKER = "safety_checker"


@dataclass(frozen=True)
class StableDiffusion:
    """The parts of the pipeline, in evaluation mode. left: what of the folder is not taken over, in words, or ""."""

    tokenizer: Tokenizer
    clip: CLIP
    autoencoder: Autoencoder
    latent: LatentDiffusion
    left: str


def read(folder: Path) -> StableDiffusion:
    """The parts of a folder that `StableDiffusionPipeline.save_pretrained` wrote, with safetensors.

    Raises ValueError that names the file and the setting, or the first weight, that has no place here; pickles are
    refused.
    """
    pipelines.class_of(folder, (pipelines.STABLE_DIFFUSION,))
    process, how = steps.read(folder)
    entries = levels(process.schedule)
    net, found, side, file = network.read(folder, entries)
    coder = autoencoder.read(folder)
    clip, words = tower.read(folder, side * coder.config.factor, projected=False)
    _check(folder, net, coder, clip)
    config = LatentConfig(
        network=net,
        diffusion=process,
        sampling=how,
        padding=vocabulary.padding(folder / tower.TOKENIZER, words),
        side=side,
        text=clip.config.text,
    )
    with initial_weights("read", "latent"):
        latent = LatentDiffusion(config)
    mean, std = autoencoder.statistics(folder)
    state = {f"{NET}.{name}": t for name, t in found.items()} | {"statistics.mean": mean, "statistics.std": std}
    state |= {f"text.{name}": t for name, t in clip.text.state_dict().items()}
    weights.check_shapes(state, latent, file)
    latent.load_state_dict(state)
    return StableDiffusion(words, clip, coder, latent.eval().requires_grad_(False), _left(folder))


def _check(folder: Path, net: DiffusionUNetConfig, coder: Autoencoder, clip: CLIP) -> None:
    path, width = folder / network.UNET / CONFIG, clip.config.text.width
    if net.token_width != width:
        raise ValueError(
            f"{path}: cross_attention_dim = {net.token_width}: the text encoder beside it has features of {width} "
            "numbers; the two are not of the same model"
        )
    if net.learned_variance or net.channels != coder.config.latent:
        out = net.channels * (1 + net.learned_variance)
        raise ValueError(
            f"{path}: in_channels, out_channels = {net.channels}, {out}: the autoencoder beside it has codes of "
            f"{coder.config.latent} channels, and a text-to-image network takes and gives as many"
        )


def _left(folder: Path) -> str:
    if not (folder / CHECKER).is_dir():
        return ""
    return (
        f"{CHECKER}/ is not taken over: it is no part of the model, but a filter of finished images with a CLIP of its "
        "own; nothing filters what is drawn here, so look at it before others do"
    )

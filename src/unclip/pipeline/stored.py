"""The stages of a run as they lie on disk: their modules, and the hash that names the whole model."""

import hashlib
from collections.abc import Callable
from typing import Any

import torch

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.noisy import NoisyCLIP, NoisyCLIPConfig
from unclip.core import store
from unclip.models.autoencoder import Autoencoder
from unclip.models.autoregressive_prior import AutoregressivePrior, AutoregressivePriorConfig
from unclip.models.classifier import ClassifierConfig, NoisyClassifier
from unclip.models.contrastive_prior import ContrastivePrior, ContrastivePriorConfig
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.inpainter import Inpainter, InpainterConfig
from unclip.models.latent import LatentConfig, LatentDiffusion
from unclip.models.prior import Prior, PriorConfig
from unclip.models.upsampler import Upsampler, UpsamplerConfig
from unclip.nn.coder import CoderConfig
from unclip.pipeline.run_folder import TRAINED, RunFolder

BUILDERS: dict[str, Callable[[dict[str, Any]], torch.nn.Module]] = {
    "clip": lambda c: CLIP(CLIPConfig.from_dict(c)),
    "prior": lambda c: Prior(PriorConfig.from_dict(c)),
    "decoder": lambda c: Decoder(DecoderConfig.from_dict(c)),
    "autoregressive_prior": lambda c: AutoregressivePrior(AutoregressivePriorConfig.from_dict(c)),
    "contrastive_prior": lambda c: ContrastivePrior(ContrastivePriorConfig.from_dict(c)),
    "autoencoder": lambda c: Autoencoder(CoderConfig.from_dict(c)),
    "latent": lambda c: LatentDiffusion(LatentConfig.from_dict(c)),
    "ddpm": lambda c: DDPM(DDPMConfig.from_dict(c)),
    "classifier": lambda c: NoisyClassifier(ClassifierConfig.from_dict(c)),
    "upsampler": lambda c: Upsampler(UpsamplerConfig.from_dict(c)),
    "upsampler2": lambda c: Upsampler(UpsamplerConfig.from_dict(c)),
    "inpaint": lambda c: Inpainter(InpainterConfig.from_dict(c)),
    "noisy_clip": lambda c: NoisyCLIP(NoisyCLIPConfig.from_dict(c)),
}
"""Stage -> its module from a stored config."""


def model_hash(folder: RunFolder) -> str:
    """Twelve hex digits over the SHA-256 of the trained stages; what only guides on demand is not in it."""
    shas = "".join(store.sha256(folder.root / name / store.WEIGHTS) for name in TRAINED[folder.model])
    return hashlib.sha256(shas.encode()).hexdigest()[:12]


def load_stage(folder: RunFolder, name: str, device: str) -> Any:
    """A finished stage of a run, frozen, in evaluation mode. Raises ValueError that names the file."""
    stored = store.load(folder.root / name, name)
    module = BUILDERS[name](stored.config)
    try:
        module.load_state_dict(stored.tensors)
    except RuntimeError as error:
        raise ValueError(
            f"{folder.root / name}: made by another version of unclip, its weights do not fit this {name} "
            f"({str(error).splitlines()[0]}); use that version or train again"
        ) from error
    return module.to(device).eval().requires_grad_(False)


def load_early(folder: RunFolder, name: str, device: str) -> Any:
    """A stage as it was after 1/16 of its training, the worse model of autoguidance; None where it was not kept."""
    kept = RunFolder(folder.early)
    return load_stage(kept, name, device) if (kept.root / name).exists() else None


def load_added(folder: RunFolder, name: str, device: str) -> Any:
    """A stage that `unclip add` trained, or None where the run has none (yet)."""
    return load_stage(folder, name, device) if name in folder.state() else None

"""A whole `UnCLIPPipeline` folder."""

from dataclasses import dataclass
from pathlib import Path

from unclip.clip.model import CLIP
from unclip.interop import pipelines
from unclip.interop.clip import tower
from unclip.interop.karlo import decoder, prior, upsampler
from unclip.models.decoder import Decoder
from unclip.models.priors.diffusion import Prior
from unclip.models.upsampler import Upsampler
from unclip.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Karlo:
    """The parts of the pipeline, in evaluation mode."""

    tokenizer: Tokenizer
    clip: CLIP
    prior: Prior
    decoder: Decoder
    upsampler: Upsampler


def read(folder: Path) -> Karlo:
    """The parts of a folder that `UnCLIPPipeline.save_pretrained` wrote, with safetensors.

    Raises ValueError that names the file and the setting, or the first weight, that has no place here; pickles are
    refused.
    """
    pipelines.class_of(folder, (pipelines.UNCLIP,))
    size = decoder.unet_settings(folder)["sample_size"]
    clip, words = tower.read(folder, size, projected=True)
    return Karlo(words, clip, prior.read(folder, clip, words), decoder.read(folder, clip), upsampler.read(folder, size))

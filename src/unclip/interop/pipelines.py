"""Folders of pipelines of diffusers: which class each was saved by."""

from collections.abc import Iterable
from pathlib import Path

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.interop import weights

INDEX = "model_index.json"
DDPM, UNCLIP, STABLE_DIFFUSION = ("DDPMPipeline", "DDIMPipeline"), "UnCLIPPipeline", "StableDiffusionPipeline"
OTHERS = {
    "StableDiffusionXL": "it has two text encoders, and a network that is told sizes and crops",
    "StableDiffusion3": "it has three text encoders, and a transformer of images and words at once",
    "Flux": "it has two text encoders, and a transformer of images and words at once",
    "StableDiffusion": "it takes an image besides the words, or another network",
}
"""Beginnings of classes that are near one that is known, and why they are another."""


def class_of(folder: Path, known: Iterable[str] = (*DDPM, UNCLIP, STABLE_DIFFUSION)) -> str:
    """The class of the pipeline. Raises ValueError for what is no folder of one that is `known`."""
    if folder.is_file():
        raise ValueError(
            weights.refusal(folder) if folder.suffix in weights.PICKLES else f"{folder}: a file; name a folder"
        )
    index = read_json(folder / INDEX, "the index of a pipeline of diffusers (a folder that its save_pretrained wrote)")
    kind, known = index.get("_class_name"), tuple(known)
    if kind not in known:
        why = next((f", which is not read: {why}" for name, why in OTHERS.items() if str(kind).startswith(name)), "")
        raise ValueError(f"{folder / INDEX}: a {quote(kind)}{why}; unclip takes in {', '.join(known)}")
    return kind

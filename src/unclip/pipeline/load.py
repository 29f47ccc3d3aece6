"""`unclip.load`: a run folder becomes the model that it holds."""

from pathlib import Path

import torch

from unclip.core import machine
from unclip.core.ranges import told
from unclip.pipeline.captioned import CaptionedModel
from unclip.pipeline.ddpm import DDPMPipeline
from unclip.pipeline.latent_diffusion import LatentPipeline
from unclip.pipeline.run_folder import RunFolder
from unclip.pipeline.text_to_image import TextToImage

PIPELINES: dict[str, type[TextToImage] | type[LatentPipeline] | type[DDPMPipeline]] = {
    "unclip": TextToImage,
    "latent": LatentPipeline,
    "ddpm": DDPMPipeline,
}
"""What a run trains -> the class of the finished model."""


def load(run: str | Path, device: str | None = None) -> TextToImage | LatentPipeline | DDPMPipeline:
    """The model of a finished run folder.

    device: cpu, cuda, cuda:1, mps; None: the best at hand.
    Raises ValueError that names the missing stage, the damaged file, or the device that is not there.
    """
    check_device(device)
    folder = RunFolder(Path(run))
    folder.require()
    machine.prepare_memory()
    return PIPELINES[folder.model].load(folder, device or machine.device())


def check_device(device: str | None) -> None:
    """Raises ValueError where a device is unknown, or not there for this build of torch."""
    if device is None:
        return
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device = {told(device)}: known are cpu, cuda, cuda:1 ..., mps") from error
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind.type not in there:
        raise ValueError(f"device = {told(device)}: known are cpu, cuda, cuda:1 ..., mps")
    if (kind.index or 0) >= there[kind.type]:
        built = "" if kind.type != "cuda" or torch.version.cuda else f" (torch {torch.__version__} is built for CPUs)"
        raise ValueError(f"device = {told(device)}: this machine has no such device for torch{built}; take 'cpu'")


def load_text_to_image(run: str | Path) -> TextToImage:
    """The same, for what needs prior and decoder, or a stage beside them. Raises ValueError for another run, too."""
    model = load(run)
    if not isinstance(model, TextToImage):
        raise ValueError(f"{run}: a {_kind(model)}, and only a run of --model unclip can do this; name one")
    return model


def load_captioned(run: str | Path) -> CaptionedModel:
    """The same, for what needs a CLIP and no more. Raises ValueError for a run without one, too."""
    model = load(run)
    if not isinstance(model, CaptionedModel):
        raise ValueError(f"{run}: a {_kind(model)} has no CLIP; name a run of --model unclip or latent")
    return model


def _kind(model: object) -> str:
    return "latent diffusion" if isinstance(model, LatentPipeline) else "plain DDPM"

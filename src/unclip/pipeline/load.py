"""`unclip.load`: a run folder becomes the model that it holds."""

from pathlib import Path

from unclip.core import machine
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

    Raises ValueError that names the missing stage, or the damaged file.
    """
    folder = RunFolder(Path(run))
    folder.require()
    machine.prepare_memory()
    return PIPELINES[folder.model].load(folder, device or machine.device())


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

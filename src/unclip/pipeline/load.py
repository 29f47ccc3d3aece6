"""`unclip.load`: a run folder becomes the model that it holds."""

from pathlib import Path

from unclip.core import machine
from unclip.pipeline.ddpm import DDPMPipeline
from unclip.pipeline.run_folder import RunFolder
from unclip.pipeline.text_to_image import TextToImage

PIPELINES: dict[str, type[TextToImage] | type[DDPMPipeline]] = {"unclip": TextToImage, "ddpm": DDPMPipeline}
"""What a run trains -> the class of the finished model."""


def load(run: str | Path, device: str | None = None) -> TextToImage | DDPMPipeline:
    """The model of a finished run folder.

    Raises ValueError that names the missing stage, or the damaged file.
    """
    folder = RunFolder(Path(run))
    folder.require()
    machine.prepare_memory()
    return PIPELINES[folder.model].load(folder, device or machine.device())


def load_text_to_image(run: str | Path) -> TextToImage:
    """The same, for what needs a CLIP. Raises ValueError for a run of another kind, too."""
    model = load(run)
    if not isinstance(model, TextToImage):
        raise ValueError(f"{run}: a plain DDPM has no embeddings of pictures; use a text-to-image run")
    return model

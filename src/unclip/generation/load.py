"""`unclip.load`: a run folder becomes the model that it holds."""

from pathlib import Path
from typing import TypeVar, overload

from unclip.box.shipped import find
from unclip.core import machine
from unclip.generation.base import ImageModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.one_pass import ONE_PASS, FlowPipeline, GANPipeline, VAEPipeline
from unclip.generation.text_to_image import TextToImage
from unclip.runs.folder import RunFolder
from unclip.runs.lora import Lora
from unclip.runs.modules import Stages

M = TypeVar("M", bound=ImageModel)

Pipeline = (
    type[TextToImage]
    | type[LatentPipeline]
    | type[DDPMPipeline]
    | type[VAEPipeline]
    | type[FlowPipeline]
    | type[GANPipeline]
)
PIPELINES: dict[str, Pipeline] = {
    "unclip": TextToImage,
    "latent": LatentPipeline,
    "ddpm": DDPMPipeline,
    **ONE_PASS,
}
"""What a run trains -> the class of the finished model."""
CALLED: dict[type[ImageModel], str] = {
    TextToImage: "text-to-image model",
    LatentPipeline: "latent diffusion",
    DDPMPipeline: "plain DDPM",
    VAEPipeline: "variational autoencoder",
    FlowPipeline: "normalizing flow",
    GANPipeline: "GAN",
}


@overload
def load(
    run: str | Path | None = None, device: str | None = None, *, lora: str | Path | Lora | None = None
) -> ImageModel: ...
@overload
def load(
    run: str | Path | None = None,
    device: str | None = None,
    *,
    kind: type[M],
    lora: str | Path | Lora | None = None,
) -> M: ...
def load(
    run: str | Path | None = None,
    device: str | None = None,
    *,
    kind: type[ImageModel] = ImageModel,
    lora: str | Path | Lora | None = None,
) -> ImageModel:
    """Loads a finished run. What it returns generates images; a text-to-image model edits and varies them, too.

        model = unclip.load("runs/mine")
        [image] = model.generate(["a red heart"])

        model = unclip.load()    # the model that ships with unclip; unclip.load("box:shapes"): another that does

    On the CPU the ONNX graphs of `unclip export RUN --to onnx --out RUN/onnx` compute where they are of these weights.

    Nothing of your process is changed: no number of threads, no seed, no allocator.

    Args:
        run: the run's folder; "box:NAME": a model that ships with unclip; None: the first of those.
        device: "cpu", "cuda", "cuda:1" or "mps"; None: the best at hand.
        kind: the class that it has to be, where only that will do: `TextToImage`, `LatentPipeline`, `DDPMPipeline`.
        lora: small weights that are merged into it, of a run that was trained with --lora; a `Lora` says how much of
            them.

    Raises:
        ValueError: names the missing stage, the damaged file, the device that is not there, what the run holds
            instead, or that no such model ships.
    """
    if device is not None:
        machine.check_device(device)
    folder = _required(run)
    beside = lora if isinstance(lora, Lora) or lora is None else Lora(Path(lora))
    if beside is not None:
        beside.check(folder.stages)
    stages = Stages(folder, device or machine.device(), beside, fast=True)
    return _only(kind, PIPELINES[folder.model].load(stages), run or folder.root)


def kind_of(run: str | Path) -> type[ImageModel]:
    """The class of what a run holds, without reading its weights. Raises ValueError where there is no such run."""
    return PIPELINES[_required(run).model]


def _required(run: str | Path | None) -> RunFolder:
    folder = RunFolder(find(run))
    folder.require()
    return folder


def _only(kind: type[M], model: ImageModel, run: str | Path) -> M:
    if not isinstance(model, kind):
        fits = " or ".join(name for name, of in PIPELINES.items() if issubclass(of, kind))
        raise ValueError(f"{run}: a {called(model)}, and only a run of --model {fits} can do this; name one")
    return model


def called(model: ImageModel) -> str:
    """What a person calls it."""
    return CALLED.get(type(model), "model of another kind")

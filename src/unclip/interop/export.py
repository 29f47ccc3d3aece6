"""A run as a folder that another library loads."""

from collections.abc import Callable
from pathlib import Path

from unclip.core.config.ranges import quote
from unclip.core.disk.new import new_folder
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.load import called
from unclip.interop.clip import folder as clip
from unclip.interop.ddpm import folder as diffusers
from unclip.interop.own_code.captioned import write_captioned
from unclip.interop.own_code.ddpm import write_ddpm
from unclip.interop.prompts import prompts_of

Write = Callable[[ImageModel, Path, str], str]
"""Writes a folder for the class of this name; returns Python that loads it, with FOLDER for its path."""


OWN_CODE = "diffusers.DiffusionPipeline.from_pretrained(FOLDER, custom_pipeline=FOLDER, trust_remote_code=True)"


def to_diffusers(model: ImageModel, folder: Path, label: str) -> str:
    """A `DDPMPipeline`, or a pipeline of its own code where diffusers has no such networks.

    Raises ValueError for a model of another kind, and as `ddpm.folder.write`, `write_ddpm` and `write_captioned` do.
    """
    if isinstance(model, CaptionedModel):
        if label:
            raise ValueError(f"--class {quote(label)}: a text-to-image model has no classes; leave it out")
        write_captioned(model, folder)
        return f'{OWN_CODE}("a red heart", seed=0).images[0]'
    if not isinstance(model, DDPMPipeline):
        raise ValueError(f"diffusers has no pipeline of a {called(model)}; `unclip push` hands on the whole run")
    if not diffusers.known(model):
        if label:
            raise ValueError(f"--class {quote(label)}: this folder draws any class, pipe(label=...); leave it out")
        write_ddpm(model, folder)
        return f"{OWN_CODE}().images[0]"
    diffusers.write(model, folder, label)
    return f"diffusers.DDPMPipeline.from_pretrained(FOLDER)(num_inference_steps={model.sampling.steps}).images[0]"


def to_transformers(model: ImageModel, folder: Path, label: str) -> str:
    """A `CLIPModel`, which open_clip loads, too. Raises ValueError without a CLIP, and as `clip.folder.write`."""
    if label:
        raise ValueError(f"--class {quote(label)}: a CLIP has no classes; leave it out")
    if not isinstance(model, CaptionedModel):
        other = (
            "`--to diffusers` writes it as a DDPMPipeline" if isinstance(model, DDPMPipeline) else "try `unclip push`"
        )
        raise ValueError(f"a {called(model)} has no CLIP; {other}")
    clip.write(model.clip, model.tokenizer, folder)
    return "transformers.CLIPModel.from_pretrained(FOLDER), transformers.AutoTokenizer.from_pretrained(FOLDER)"


def to_onnx(model: ImageModel, folder: Path, label: str) -> str:
    """Graphs of the networks that denoise. Raises ValueError as `onnx.write.write` does."""
    if label:
        raise ValueError(f"--class {quote(label)}: a graph is told its class with each image; leave it out")
    from unclip.interop.onnx.write import write

    graphs, off = write(model, folder, prompts_of(model, ("a picture",)))
    told = ", ".join(f"{one.stage} {one.faster:g} times as fast, outputs within {one.off:.1g}" for one in graphs)
    return (
        f"{told}; pictures differ by {off:.1g} of 2 at most. As RUN/onnx they draw for `unclip generate` and `unclip "
        "serve`; elsewhere: onnxruntime.InferenceSession(FOLDER + '/" + f"{graphs[-1].stage}.onnx')"
    )


FORMS: dict[str, Write] = {"diffusers": to_diffusers, "transformers": to_transformers, "onnx": to_onnx}
"""What may stand after --to."""


def export(model: ImageModel, to: str, out: Path, label: str = "") -> str:
    """Writes a finished model into the new folder `out`, in the form of another library; returns Python that loads it.

    Args:
        model: as `unclip.load` gives it.
        to: "diffusers" (what denoises), "transformers" (a CLIP) or "onnx" (what denoises).
        out: the folder.
        label: of a DDPM with classes, the one that is to be drawn.

    Raises:
        ValueError: names what the library has no counterpart of and what would work; also where `out` is there already.
    """
    if to not in FORMS:
        raise ValueError(f"--to {quote(to)}: known are {', '.join(FORMS)}")
    with new_folder(out) as folder:
        return FORMS[to](model, folder, label).replace("FOLDER", repr(str(out)))

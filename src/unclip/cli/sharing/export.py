"""`unclip export`: a run in the form of another library."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded


@guarded
@on_device
def export(
    run: Annotated[Path, Parameter(help="A finished run folder, or box:NAME.")],
    /,
    *,
    to: Annotated[
        str,
        Parameter(
            help="diffusers: a DDPM as a DDPMPipeline, a text-to-image run as a pipeline with its own code. "
            "transformers: a CLIP with a ViT, for open_clip too. "
            "onnx: graphs of the networks that denoise; as RUN/onnx they draw for generate and serve."
        ),
    ],
    out: Annotated[Path, Parameter(help="A new folder.")],
    label: Annotated[
        str, Parameter(name="--class", help="Of a ddpm with classes: the one that the folder shall draw.")
    ] = "",
) -> None:
    """Write a model as another library loads it.

    What the other library cannot compute is refused, with the settings that would work.
    """
    check_folder(out)
    from unclip.box.shipped import find
    from unclip.cli.arguments.model import open_model
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.generation.base import ImageModel
    from unclip.interop.export import export as write

    console, place = stdout(), find(run)
    with waiting(f"loading {place}", console) as say:
        model = open_model(place, ImageModel)
        say("writing")
        python = write(model, to, out, label)
    console.print(f"{out}: {python}")

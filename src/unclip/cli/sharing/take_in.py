"""`unclip import`: a model of another library as a run."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded
from unclip.core.shown import shell_command


@guarded
def import_(
    path: Annotated[
        Path,
        Parameter(help="A folder of diffusers' DDPMPipeline, UnCLIPPipeline (Karlo) or StableDiffusionPipeline."),
    ],
    /,
    *,
    out: Annotated[Path, Parameter(help="A new folder for the run.")],
) -> None:
    """Make a run of a diffusers folder: a DDPM or a Stable Diffusion to draw with, score and train on from, or Karlo to
    draw with.

    Safetensors only. What its network or its scheduler has and ours have not is refused by
    name.
    """
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.recipes.stages import UpsamplerRecipe
    from unclip.recipes.start.imported import import_run

    console = stdout()
    with waiting(f"reading {path}", console):
        found = import_run(path, out)
    config = found.config
    further = shell_command("unclip", "train", "DATA", "--from", out, "--out", "NEW", "--budget", "30m")
    if config.model == "ddpm":
        console.print(f"{out}: a ddpm of {config.size} px")
        console.print(f"draw: {shell_command('unclip', 'generate', '--run', out, '-n', '8')}")
        console.print(f"train on: {further}")
        return
    larger = f", enlarged to {config.of(UpsamplerRecipe).size}" if UpsamplerRecipe.name in config.recipes else ""
    console.print(f"{out}: a text-to-image model of {config.size} px{larger}")
    console.print(f"draw: {shell_command('unclip', 'generate', 'a red heart', '--run', out)}")
    if config.model == "latent":
        console.print(f"train on: {further} --lora 8")
    if found.left:
        console.print(f"note: {found.left}")

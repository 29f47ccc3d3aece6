"""`unclip import`: a model of another library as a run."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded
from unclip.core.shown import shell_command


@guarded
def import_(
    path: Annotated[Path, Parameter(help="A folder that diffusers' DDPMPipeline was saved in.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="A new folder for the run.")],
) -> None:
    """Make a run of a diffusers DDPM folder: draw with it, score it, train on from it.

    Safetensors only. What its network or its scheduler has and ours have not is refused by
    name.
    """
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.recipes.start.imported import import_run

    console = stdout()
    with waiting(f"reading {path}", console):
        config = import_run(path, out)
    console.print(f"{out}: a ddpm of {config.size} px")
    console.print(f"draw: {shell_command('unclip', 'generate', '--run', out, '-n', '8')}")
    console.print(
        f"train on: {shell_command('unclip', 'train', 'DATA', '--from', out, '--out', 'NEW', '--budget', '30m')}"
    )

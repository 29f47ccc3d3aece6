"""`unclip pack-run`: a run to give away, without the images that it was trained on."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded
from unclip.core.shown import shell_command

MEGA = 1_000_000


@guarded
def pack_run(
    run: Annotated[Path, Parameter(help="A finished run folder, or box:NAME.")],
    out: Annotated[Path, Parameter(help="A new folder for the copy.")],
    /,
) -> None:
    """Copy what generation needs of a run: settings, tokenizer and weights, no images and no captions.

    The copy draws the same images. What looks at the run's own data (search, add,
    evaluate without --data) needs the whole run.
    """
    check_folder(out, "OUT")
    from unclip.box.shipped import find
    from unclip.cli.screen.console import stdout
    from unclip.runs.pack import pack_run as pack

    size = pack(find(run), out)
    console = stdout()
    console.print(f"{out}: {size / MEGA:,.1f} MB; a tar file of it: {shell_command('tar', 'czf', f'{out}.tgz', out)}")

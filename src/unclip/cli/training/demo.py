"""`unclip demo`: the whole thing in minutes, on drawn shapes."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded
from unclip.core.shown import shell_command


@guarded
@on_device
def demo(
    *,
    out: Annotated[Path, Parameter(help="The run folder.")] = Path("runs/demo"),
    budget: Annotated[str, Parameter(help="Time for the training: 90s, 9m, 1h.")] = "9m",
) -> None:
    """Draw captioned shapes, train every stage on them, score the result exactly, write a report."""
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import follow
    from unclip.core.config.duration import seconds
    from unclip.core.signals import stopping
    from unclip.studies import demo as recipe

    length, console = seconds(budget), stdout()
    with stopping() as stop:
        code = follow(recipe.demo(out, length, stop), console, force=True)
    if code == 0:
        console.print(f"done: open {out / 'report.html'}")
        console.print(f"or: {shell_command('unclip', 'generate', 'a large red circle', '--run', out)}")
    raise SystemExit(code)

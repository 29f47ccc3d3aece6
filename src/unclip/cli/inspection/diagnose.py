"""`unclip diagnose`: why a run draws noise, or ignores its prompt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import OwnRun
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import FAILED, guarded

if TYPE_CHECKING:
    from rich.table import Table

    from unclip.studies.diagnose.check import Check

COLOURS = {"good": "green", "suspicious": "yellow", "broken": "red", "unknown": "dim"}


@guarded
@on_device
def diagnose(
    run: Annotated[OwnRun, Parameter(help="A run folder; it may be unfinished, or have failed.")],
    /,
    *,
    json: Annotated[Path | None, Parameter(help="Where to write the checks.")] = None,
) -> None:
    """Say why a run draws noise, or ignores its prompt: one check after another, the first cause on top.

    The exit code is 1 where something is broken.
    """
    if json is not None:
        check_file(json, "--json")
    from dataclasses import asdict

    from unclip.cli.screen.console import line, stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.disk.store import to_json
    from unclip.core.machine import prepare_memory
    from unclip.studies.diagnose.study import diagnose as look
    from unclip.studies.diagnose.study import verdict

    if json is not None:
        check_written(json)
    prepare_memory()
    console, checks = stdout(), list["Check"]()
    with waiting(f"looking at {run}", console) as say:
        for check in look(run):
            checks.append(check)
            say(f"{check.stage}: after {check.name}")
    broken = any(check.verdict == "broken" for check in checks)
    console.print(line((f"{run}: {verdict(checks)}", "bold red" if broken else "bold")))
    console.print(table(checks))
    for check in checks:
        if check.meaning:
            following = f" Next: {check.command}" if check.command else ""
            console.print(f"{check.stage}, {check.name}: {check.meaning}{following}")
    if json is not None:
        about = {"run": str(run), "verdict": verdict(checks), "checks": [asdict(check) for check in checks]}
        write_atomic(json, to_json(about))
    if broken:
        raise SystemExit(FAILED)


def table(checks: "list[Check]") -> "Table":
    """A row a check."""
    from rich.table import Table

    from unclip.cli.screen.console import line

    sheet = Table("stage", "check", "verdict", "figure", "expected", box=None, pad_edge=False, header_style="dim")
    for check in checks:
        mark = line((check.verdict, COLOURS[check.verdict]))
        sheet.add_row(check.stage, check.name, mark, check.figure, check.expected)
    return sheet

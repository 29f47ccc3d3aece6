"""`unclip course`: the units of the course, listed, or one of them as a notebook in the reader's folder."""

import importlib.util
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded
from unclip.core.imports.missing import install
from unclip.core.shown import shell_command
from unclip.course.catalog import Unit, unit, units

NEEDED = ("ipykernel", "matplotlib")
"""What a unit needs besides unclip: a kernel that runs its cells, and what draws its plots."""


@guarded
def course(
    number: Annotated[int | None, Parameter(name="UNIT", help="The number of a unit; none lists them.")] = None,
    /,
    *,
    out: Annotated[Path, Parameter(help="The folder that the unit is copied into.")] = Path("my-course"),
    script: Annotated[bool, Parameter(help="A Python script in cells in place of a notebook.", negative="")] = False,
) -> None:
    """List the course's eight units, or copy one to your folder and say how to open it.

    Each takes a few minutes of two CPU cores, needs no network, and has exercises that are
    checked.
    """
    from unclip.cli.screen.console import stdout

    console = stdout()
    if number is None:
        for each in units():
            console.print(f"{each.number}  {each.title}\n   {each.about}")
        console.print(f"copy one: {shell_command('unclip', 'course', '1')}")
        return
    path = copied(unit(number), out, script)
    console.print(f"{path}: {unit(number).title}")
    for line in opening(path, script):
        console.print(line)


def copied(chosen: Unit, out: Path, script: bool) -> Path:
    """Writes the unit into the folder. Raises ValueError where a file of its name is there, which may hold answers."""
    from unclip.core.disk.new import write_new
    from unclip.course.notebook import to_json, to_notebook

    check_folder(out)
    path = out / f"{chosen.stem}{'.py' if script else '.ipynb'}"
    text = chosen.text if script else to_json(to_notebook(chosen.text))
    if not write_new(path, text.encode("utf-8")):
        raise ValueError(f"{path}: is there already, perhaps with your answers; name another folder with --out")
    return path


def opening(path: Path, script: bool) -> list[str]:
    """How the file is opened, and what has to be installed for that."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None and not (script and name == NEEDED[0])]
    lines = [install("first: it needs", *missing)] if missing else []
    if script:
        return [*lines, f"run it: {shell_command('python', path)} (pictures go into course-pictures/)"]
    lab = importlib.util.find_spec("jupyterlab") is not None
    if not lab:
        lines.append(install("to open it in a browser you need", "jupyterlab"))
    return [*lines, f"open it: {shell_command('jupyter', 'lab', path)}, or the file itself in VS Code"]

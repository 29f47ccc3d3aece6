"""`unclip info`: what a run folder or a generated image says of itself."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.errors import guarded
from unclip.cli.provenance import describe, picture_lines
from unclip.core.plugins import noted
from unclip.core.shown import printable, shell_command

if TYPE_CHECKING:
    from rich.table import Table

    from unclip.runs.folder import RunFolder

LONGEST = 10_000
"""Letters of a line about an image: a command of many prompts is long."""


@guarded
def info(
    path: Annotated[
        Path | None,
        Parameter(help="A run folder, box:NAME, or a PNG that unclip wrote; by default the model that ships."),
    ] = None,
    /,
) -> None:
    """Show what a run or a generated image is made of."""
    from unclip.box.shipped import find
    from unclip.cli.screen.console import stdout

    console, path = stdout(), find(path)
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder; give a run folder or a PNG that unclip wrote")
    if path.is_dir():
        (show_stage if (path / "config.json").exists() else show_run)(path, console.print)
        return
    from unclip.images.files import read_about

    for line in picture_lines(read_about(path), Path("runs")):
        console.print(printable(line, LONGEST))


def show_run(path: Path, show: Any) -> None:
    """A run: hash, stages with their gates and figures, settings. Raises ValueError where the folder holds no run."""
    from unclip.box.shipped import lines, shipped_as
    from unclip.recipes.settings.run import settings_table
    from unclip.runs.folder import RunFolder

    run, ships = RunFolder(path), shipped_as(path)
    if not run.settings.exists():
        raise ValueError(f"{path}: holds no run (no run.toml) and no stage of one; {_hint(path)}")
    state, settings = run.state(), settings_table(run.settings)
    show(f"{path}: {_state(run)}")
    for line in lines(ships) if ships else ():
        show(line)
    show(stages_table(state, weights(run)))
    if start := settings.get("start"):
        show(f"started from the weights of {printable(start)}, model {printable(settings.get('start_hash', ''))}")
    if rank := settings.get("lora"):
        show(f"small weights of rank {printable(rank)} beside those: {run.lora}")
    for line in other_lines(run, state, settings):
        show(line)
    for note in noted.read_notes(run.settings):
        show(f"plugin    {note.name}, for {', '.join(map(printable, note.kinds)) or 'its own names'}")
    show("settings  " + ", ".join(_plain(settings)))
    show(f"all of them: {run.settings}")


def _hint(path: Path) -> str:
    """What to ask instead: of the run that the folder lies in, of a run inside, or of the data."""
    above = next((p for p in path.resolve().parents if (p / "run.toml").exists()), None)
    if above is not None:
        return f"it belongs to the run {above}: `{shell_command('unclip', 'info', above)}`"
    runs = sorted(p.parent for p in path.glob("*/run.toml"))
    return (
        f"name a run in it, as {runs[0]}"
        if runs
        else f"`{shell_command('unclip', 'data', path)}` reports on captioned images"
    )


def _state(run: "RunFolder") -> str:
    from unclip.runs.modules import model_hash

    try:
        run.require()
    except ValueError as error:
        return str(error).partition(": ")[2]
    return f"finished, model {model_hash(run)}"


def weights(run: "RunFolder") -> dict[str, str]:
    """Stage -> the digits by which an image names it; "gone" where its weights are."""
    from unclip.core.disk import store
    from unclip.runs.modules import DIGITS

    files = {name: run.root / name / store.WEIGHTS for name in run.networks()}
    return {name: store.sha256(file)[:DIGITS] if file.exists() else "gone" for name, file in files.items()}


def other_lines(run: "RunFolder", state: Iterable[str], settings: Mapping[str, Any]) -> Iterable[str]:
    """What there is beside the finished stages, and what could be."""
    from unclip.recipes.settings.recipe import next_additions

    guided = "sampling" in settings.get(run.drawing, {})
    if guided and run.drawing in state and not run.sealed:
        kept = (run.early / run.drawing).exists()
        yield f"early weights of {run.drawing}, for --guidance-form auto: {'kept' if kept else 'none'}"
    begun = [name for name in settings.get("added", ()) if name not in state]
    for name in begun:
        again = shell_command("unclip", "add", name, "--run", run.root)
        yield f"{name}: begun, not finished; `{again}` goes on (DATA as before)"
    more = [name for name in next_additions(run.model, state) if name not in begun]
    if more and run.drawing in state and not run.sealed:
        yield f"can be added: {', '.join(more)}"


def show_stage(path: Path, show: Any) -> None:
    """A folder with weights, as a stage of a run is: its kind, hash, settings. Raises ValueError for a damaged one."""
    from unclip.core.disk import store
    from unclip.runs.modules import DIGITS

    stored = store.load(path)
    count = sum(tensor.numel() for tensor in stored.tensors.values())
    show(f"{path}: {stored.kind}, weights {stored.sha256[:DIGITS]}, {count:,} numbers")
    metrics = {name: value for name, value in stored.extra.items() if not isinstance(value, Mapping)}
    if metrics:
        show("trained   " + ", ".join(_plain(metrics)))
    for name, value in stored.config.items():
        show(f"{name:<9} {describe(value)}")
    show(_hint(path))


def stages_table(state: Mapping[str, Any], hashes: Mapping[str, str]) -> "Table":
    """One row a stage: how it ended, its size and time, its hash, and the figures of its gate."""
    from rich.table import Table

    from unclip.cli.screen.console import line
    from unclip.core.config import duration

    heads = ("stage", "gate", "parameters", "steps", "time", "weights", "why")
    sheet = Table(*heads, box=None, pad_edge=False, header_style="dim")
    for name, end in state.items():
        metrics = end.get("metrics", {})
        gate = line(("passed", "green") if end["passed"] else ("failed", "red"))
        counts = [f"{int(metrics[k]):,}" if k in metrics else "" for k in ("parameters", "steps")]
        time = duration.words(float(metrics["seconds"])) if "seconds" in metrics else ""
        sheet.add_row(printable(name), gate, *counts, time, hashes.get(name, ""), printable(end["why"]))
    return sheet


def _plain(settings: Mapping[str, Any]) -> Iterable[str]:
    return (f"{name} {value}" for name, value in settings.items() if not isinstance(value, Mapping))

"""`unclip info`: what a run folder or a generated picture says of itself."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.guard import guarded

if TYPE_CHECKING:
    from rich.table import Table

    from unclip.pipeline.run_folder import RunFolder


@guarded
def info(path: Annotated[Path, Parameter(help="A run folder, or a PNG that unclip wrote.")], /) -> None:
    """Show what a run or a generated picture is made of."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder; give a run folder or a PNG that unclip wrote")
    if path.is_dir():
        show_run(path, console.print)
        return
    from unclip.pipeline.images import read_about

    for line in picture_lines(read_about(path), Path("runs")):
        console.print(line, markup=False)


def show_run(path: Path, show: Any) -> None:
    """A run: hash, stages with their gates and figures, settings. Raises ValueError where the folder holds no run."""
    from unclip.pipeline.run_folder import RunFolder
    from unclip.recipes.config import read_settings

    run = RunFolder(path)
    if not run.settings.exists():
        raise ValueError(f"{path}: holds no run (no run.toml); `unclip data {path}` reports on captioned pictures")
    state, settings = run.state(), read_settings(run.settings)
    show(f"{path}: {_state(run)}", markup=False)
    show(stages_table(state))
    show("settings  " + ", ".join(_plain(settings)), markup=False)
    show(f"all of them: {run.settings}", markup=False)


def _state(run: "RunFolder") -> str:
    from unclip.pipeline.stored import model_hash

    try:
        run.require()
    except ValueError as error:
        return str(error).partition(": ")[2]
    return f"finished, model {model_hash(run)}"


def stages_table(state: Mapping[str, Any]) -> "Table":
    """One row a stage: how it ended, its size and time, and the figures of its gate."""
    from rich.markup import escape
    from rich.table import Table

    from unclip.cli.duration import words

    sheet = Table("stage", "gate", "parameters", "steps", "time", "why", box=None, pad_edge=False, header_style="dim")
    for name, end in state.items():
        figures = end.get("figures", {})
        gate = "[green]passed[/]" if end["passed"] else "[red]failed[/]"
        counts = [f"{int(figures[k]):,}" if k in figures else "" for k in ("parameters", "steps")]
        time = words(float(figures["seconds"])) if "seconds" in figures else ""
        sheet.add_row(name, gate, *counts, time, escape(end["why"]))
    return sheet


def _plain(settings: Mapping[str, Any]) -> Iterable[str]:
    return (f"{name} {value}" for name, value in settings.items() if not isinstance(value, Mapping))


def picture_lines(about: Mapping[str, Any], runs: Path) -> list[str]:
    """What made a picture, and the command that makes it again."""
    prompts = about.get("prompts", [about.get("prompt", "")])
    facts = {name: about[name] for name in ("seed", "model", "unclip") if name in about}
    made = about.get("made", {})
    lines = [f"made by   unclip {made['command']}, of {', '.join(made['of'])}"] if made else []
    lines += [f"shown     {about['shown']}"] if "shown" in about else []
    lines += [f"error     PSNR {about['error']['psnr']:.2f} dB"] if "error" in about else []
    lines += [f"prompt    {prompt}" for prompt in prompts if prompt]
    lines += [f"{name:<9} {value}" for name, value in facts.items()]
    lines += [f"{name:<9} {_words(value)}" for name, value in about.get("sampling", {}).items()]
    return [*lines, "again:", f"  {command(about, runs)}"]


def _words(value: Any) -> str:
    """A nested setting in a line: DDIM (eta 0.0)."""
    if not isinstance(value, Mapping):
        return f"{value}"
    inner = ", ".join(f"{k} {_words(v)}" for k, v in value.items() if k != "kind")
    return f"{value.get('kind', '')} ({inner})" if inner else f"{value.get('kind', '')}"


def command(about: Mapping[str, Any], runs: Path) -> str:
    """The command that makes the picture again; the run is looked for by its hash in `runs`."""
    if "made" in about:
        return made_again(about["made"], find_run(about["model"], runs))
    from unclip.diffusion import guidance, samplers
    from unclip.pipeline.settings import GRIDS

    sampling = about["sampling"]
    words = ["unclip", "generate", *filter(None, about.get("prompts", [about["prompt"]]))]
    words += ["--run", find_run(about["model"], runs), "--seed", str(about["seed"])]
    words += ["-n", str(about["n"])] if "n" in about else []
    words += ["--steps", str(sampling["steps"])]
    by = guidance.Guidance.from_dict(sampling["guidance"])
    if isinstance(by, guidance.StaticThreshold) and isinstance(by.of, guidance.CLIPGuidance):
        by = by.of
    if isinstance(by, guidance.GradientGuidance):
        option = "clip" if isinstance(by, guidance.CLIPGuidance) else "classifier"
        words += [f"--{option}-guidance", str(by.scale)]
        by = by.of
    guided = guidance.name_of(by)
    if guided is not None:
        form, scale = guided
        words += ["--guidance", str(scale)] + (["--guidance-form", form] if form != "cfg" else [])
    for option, table in (("sampler", samplers.NAMES), ("grid", GRIDS)):
        names = [name for name, member in table.items() if member.to_dict() == sampling.get(option)]
        words += [f"--{option}", names[0]] if names else []
    return shlex.join(words)


def made_again(made: Mapping[str, Any], run: str) -> str:
    """The command that manipulated a picture, its options by the names they are typed with."""
    words = ["unclip", made["command"], *made["of"], "--run", run]
    for name, value in made["options"].items():
        option = f"--{name}" if len(name) > 1 else f"-{name}"
        if isinstance(value, bool):
            words += [option] * value
        elif value not in ("", []):
            words += [option, *map(str, value)] if isinstance(value, list) else [option, str(value)]
    return shlex.join(words)


def find_run(model: str, runs: Path) -> str:
    """The run below `runs` whose model has this hash, else a word that stands for it."""
    from unclip.pipeline.run_folder import RunFolder
    from unclip.pipeline.stored import model_hash

    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        try:
            if model_hash(RunFolder(folder)) == model:
                return str(folder)
        except (OSError, ValueError):  # no run, an unfinished or a damaged one
            continue
    return f"RUN-{model}"

"""What a generated picture says of itself, and the command that makes it again."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def picture_lines(about: Mapping[str, Any], runs: Path) -> list[str]:
    """What made a picture, and the command that makes it again."""
    prompts, run = about.get("prompts", [about.get("prompt", "")]), find_run(about["model"], runs)
    facts = {name: about[name] for name in ("seed", "model", "unclip") if name in about}
    made = about.get("made", {})
    lines = [f"made by   unclip {made['command']}, of {', '.join(made['of'])}"] if made else []
    lines += [f"shown     {about['shown']}"] if "shown" in about else []
    lines += [f"error     PSNR {about['error']['psnr']:.2f} dB"] if "error" in about else []
    lines += [f"prompt    {prompt}" for prompt in prompts if prompt]
    lines += [f"{name:<9} {value}" for name, value in facts.items()]
    by = ", ".join(f"{name} {sha}" for name, sha in about.get("stages", {}).items())
    lines += [f"by        {by}"] * bool(by)
    lines += [f"{name:<9} {told(value)}" for name, value in about.get("sampling", {}).items()]
    for stage in about.get("upsamplers", ()):
        lines.append(f"upsampled to {stage['size']} px, {told(stage['sampling'])}")
    for name in changed(about, Path(run)):
        lines.append(f"! {name} of {run} has changed since: the command draws another picture")
    return [*lines, "again:", f"  {command(about, run)}"]


def changed(about: Mapping[str, Any], run: Path) -> list[str]:
    """The stages that drew the picture and that the run, where it is at hand, has no longer, or with other weights."""
    from unclip.core import store

    stages = about.get("stages", {}) if run.is_dir() else {}
    files = {name: run / name / store.WEIGHTS for name in stages}
    return [n for n, file in files.items() if not file.exists() or not store.sha256(file).startswith(stages[n])]


def told(value: Any) -> str:
    """A nested setting in a line: DDIM (eta 0.0)."""
    if not isinstance(value, Mapping):
        return f"{value}"
    inner = ", ".join(f"{k} {told(v)}" for k, v in value.items() if k != "kind")
    return f"{value.get('kind', '')} ({inner})" if inner else f"{value.get('kind', '')}"


def command(about: Mapping[str, Any], run: str) -> str:
    """The command that makes the picture again, of this run."""
    if "made" in about:
        return made_again(about["made"], run)
    if "command" in about:
        return about["command"]
    from unclip.diffusion import guidance, samplers
    from unclip.pipeline.settings import GRIDS

    sampling = about["sampling"]
    words = ["unclip", "generate", *filter(None, about.get("prompts", [about["prompt"]]))]
    words += ["--run", run, "--seed", str(about["seed"])]
    words += ["-n", str(about["n"])] if "n" in about else []
    words += ["--size", str(about["size"])] if "size" in about else []
    words += ["--steps", str(sampling["steps"])]
    words += ["--prior", about["prior"]] if "prior" in about else []
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

"""What a generated image says of itself, and the command that makes it again.

Anybody can write anything into a PNG. So its text is shown as the image's own word, one escaped line a fact; and the
command is never taken from it, but put together here, of known commands and options with values of the right kind.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from unclip.cli.sampling_options import About, NoCommand, check_own, describe, given, nameless, sampling_words, table_in
from unclip.core.shown import printable

MOST_LINES, LONGEST = 200, 4000
"""Prompts or settings that are shown; letters of a word in a command."""
_MANIPULATED = ("steps", "guidance")
_PAINTED = ("seed", "n", "method", "size", *_MANIPULATED)
OPTIONS: dict[str, tuple[str, ...]] = {
    "invert": ("prompt", *_MANIPULATED),
    "vary": ("prompt", "eta", "fresh", "n", "seed", *_MANIPULATED),
    "blend": ("noise", "n", "seed", *_MANIPULATED),
    "diff": ("from", "to", "until", "n", *_MANIPULATED),
    "probe": ("labels", "seed", *_MANIPULATED),
    "edit": ("mask", *_PAINTED),
    "extend": ("left", "right", "up", "down", *_PAINTED),
    "upsample": ("seed", "size", "strength", "steps"),
    "search": ("n",),
    "compare-priors": ("n", "seed"),
}
"""The commands that leave a note of what they were asked for, and the options that it may hold."""
PAINTING = ("edit", "extend")
"""Those of them that draw with the run's own sampler."""


def picture_lines(about: About, runs: Path) -> list[str]:
    """What made an image, and the command that makes it again, or why there is none."""
    from unclip.box.shipped import find

    run = find_run(about.get("model"), runs)
    lines = ["the image says of itself:", *(printable(line) for line in _facts(about))]
    for name in changed(about, find(run)):
        lines.append(f"! {name} of {printable(run)} has changed since: the command draws another image")
    try:
        return [*lines, "again:", f"  {command(about, run)}"]
    except NoCommand as error:
        return [*lines, f"! no command makes it again: {printable(error, 400)}"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # whatever was written there
        return [*lines, f"! no command makes it again: that is not whole, or not of unclip ({printable(error, 200)})"]


def _facts(about: About) -> Iterator[str]:
    made, error = table_in(about, "made"), table_in(about, "error")
    if made:
        yield f"made by   unclip {made.get('command')}, of {', '.join(_texts(made, 'of'))}"
    if "shown" in about:
        yield f"shown     {about['shown']}"
    if isinstance(psnr := error.get("psnr"), int | float):
        yield f"error     PSNR {psnr:.2f} dB"
    yield from (f"prompt    {prompt}" for prompt in _prompts(about)[:MOST_LINES] if prompt)
    yield from (
        f"{name:<9} {describe(about[name])}"
        for name in ("seed", "temperature", "model", "lora", "unclip")
        if name in about
    )
    if by := ", ".join(f"{name} {describe(sha)}" for name, sha in table_in(about, "stages").items()):
        yield f"by        {by}"
    yield from (f"{name:<9} {describe(value)}" for name, value in [*table_in(about, "sampling").items()][:MOST_LINES])
    for stage in _tables(about, "upsamplers"):
        yield f"upsampled to {describe(stage.get('size'))} px, {describe(stage.get('sampling'))}"


def _tables(about: About, name: str) -> list[About]:
    value = about.get(name)
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def _texts(about: About, name: str) -> list[str]:
    value = about.get(name)
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []


def _prompts(about: About) -> list[str]:
    prompt = about.get("prompt")
    return _texts(about, "prompts") if "prompts" in about else [prompt] if isinstance(prompt, str) else []


def changed(about: About, run: Path) -> list[str]:
    """The stages that drew the image and that the run, where it is at hand, has no longer, or with other weights."""
    from unclip.core.disk import store
    from unclip.runs.folder import STAGE_NAME

    said = table_in(about, "stages").items() if run.is_dir() else ()
    stages = {name: sha for name, sha in said if STAGE_NAME.fullmatch(name) and isinstance(sha, str)}
    files = {name: run / name / store.WEIGHTS for name in stages}
    return [n for n, file in files.items() if not file.exists() or not store.sha256(file).startswith(stages[n])]


def command(about: About, run: str) -> str:
    """The command that makes the image again, of this run.

    Raises ValueError, or what comes of values of the wrong kind, where what the image says makes none.
    """
    from unclip.box.shipped import find

    place = find(run)
    if "lora" in about:
        raise NoCommand(f"it was drawn with small weights beside the model: --lora LORA --lora-scale {about['lora']}")
    if "made" in about:
        if table_in(about, "made").get("command") in PAINTING:
            check_own(table_in(about, "sampling"), place)
        return made_again(about["made"], run)
    sampling = about["sampling"]
    words = ["--run", run, "--seed", _number(about["seed"])]
    words += ["-n", _number(about["n"])] if "n" in about else []
    words += ["--size", _number(about["size"])] if "size" in about else []
    words += ["--temperature", _decimal(about["temperature"])] if "temperature" in about else []
    words += ["--steps", _number(sampling["steps"])]
    words += ["--prior", _name(about["prior"])] if "prior" in about else []
    words += sampling_words(sampling, place)
    return command_line("generate", [prompt for prompt in _prompts(about) if prompt], words)


def made_again(made: About, run: str) -> str:
    """The command that manipulated an image, its options by the names they are typed with. Raises as `command`."""
    if made["command"] not in OPTIONS:
        raise ValueError(f"unclip has no command {printable(made['command'], 100)!r} that makes images of images")
    name, words = made["command"], list[str]()
    for option, value in made["options"].items():
        if option not in OPTIONS[name]:
            raise ValueError(f"unclip {name} has no option {printable(option, 100)!r}")
        dashed = f"--{option}" if len(option) > 1 else f"-{option}"
        if isinstance(value, Mapping):
            raise NoCommand(nameless(option, value))
        if isinstance(value, bool):
            words += [dashed] * value
        elif value not in ("", []):
            words += given(dashed, value)
    if name == "compare-priors":
        return command_line(name, [run], words)
    return command_line(name, _texts(made, "of"), ["--run", run, *words])


def command_line(name: str, positional: Sequence[str], options: Sequence[str]) -> str:
    """A command line as a shell takes it. Raises ValueError for words that are too long to be typed."""
    words = [*positional, *options]
    if any(word.startswith("-") for word in positional):
        words = [*options, "--", *positional]
    if any(len(word) > LONGEST for word in words):
        raise ValueError(f"it has words of more than {LONGEST} letters")
    return " ".join(["unclip", name, *map(quoted, words)])


def quoted(word: str) -> str:
    """A word for a shell; one with characters that a terminal obeys is written with escapes, as bash and zsh know."""
    if printable(word, len(word)) == word:
        return shlex.quote(word)
    plain = ("\\" + c if c in "\\'" else c if printable(c) == c else f"\\U{ord(c):08x}" for c in word)
    return f"$'{''.join(plain)}'"


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{printable(value, 100)!r} is not a whole number")
    return str(value)


def _decimal(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{printable(value, 100)!r} is not a number")
    return f"{value:g}"


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z-]+", value):
        raise ValueError(f"{printable(value, 100)!r} is not a name")
    return value


def find_run(model: object, runs: Path) -> str:
    """The run below `runs`, or the name of the model that ships, with this hash; else a word that stands for it."""
    from unclip.box.shipped import BOX, drew
    from unclip.runs.folder import RunFolder
    from unclip.runs.modules import model_hash

    if not isinstance(model, str) or not re.fullmatch(r"\w{1,64}", model):
        return "RUN"
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        try:
            if model_hash(RunFolder(folder)) == model:
                return str(folder)
        except (OSError, ValueError):  # no run, an unfinished or a damaged one
            continue
    return f"{BOX}:{name}" if (name := drew(model)) else f"RUN-{model}"

"""The options of `unclip generate` that say how an image was sampled, or why none can.

What an image says of its sampling may be anybody's word: it is read as settings, and becomes words of known options.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from unclip.core.config.base import Config
from unclip.core.config.families import members
from unclip.core.plugins.given import plugins
from unclip.core.shown import printable

if TYPE_CHECKING:
    from unclip.diffusion.guidance import Guidance

About = Mapping[str, Any]
C = TypeVar("C", bound=Config)
DEEP = 4
"""How deep a setting is shown."""


class NoCommand(ValueError):
    """What an image says is whole, but no command can say it."""


def table_in(about: About, name: str) -> About:
    """A table in what an image says; empty where it says none, or something else."""
    value = about.get(name)
    return value if isinstance(value, Mapping) else {}


def describe(value: Any, deep: int = DEEP) -> str:
    """A nested setting in a line: DDIM (eta 0.0)."""
    if not isinstance(value, Mapping):
        return printable(value if not isinstance(value, list) or deep else "…")
    inner = ", ".join(f"{k} {describe(v, deep - 1)}" for k, v in value.items() if k != "kind") if deep else "…"
    kind = printable(value.get("kind", ""), 100)
    return f"{kind} ({inner})" if inner else kind


def sampling_words(sampling: About, run: Path) -> list[str]:
    """The options for guidance, sampler and grid. Raises NoCommand for one without a name that is not the run's own."""
    from unclip.diffusion import grids, guidance, samplers

    own, by = sampling_of(run), _member(guidance.Guidance, "guidance", sampling)
    if isinstance(by, guidance.NegativePrompt):
        of = {**sampling, "guidance": sampling["guidance"]["of"]}
        return [*given("--negative", by.prompt), *sampling_words(of, run)]
    words, used, names = _guidance_words(by, sampling, own), list[Config]([by]), dict[str, str | None]()
    if sampling.get("sampler") is not None:
        used.append(sampler := _member(samplers.Sampler, "sampler", sampling))
        names["sampler"] = samplers.name_of(sampler)
    if sampling.get("grid") is not None:
        used.append(grid := _member(grids.Grid, "grid", sampling))
        names["grid"] = grids.name_of(grid)
    for option, name in names.items():
        words += [f"--{option}", name] if name else _none(option, sampling, own)
    return words + _plugin_words(used)


def given(option: str, value: object) -> list[str]:
    """An option and its value or values; one that begins with a dash is tied to its option."""
    values = [str(v) for v in (value if isinstance(value, list) else [value]) if isinstance(v, str | int | float)]
    if any(v.startswith("-") for v in values):
        return [f"{option}={v}" for v in values]
    return [option, *values]


def _plugin_words(used: Sequence[Config]) -> list[str]:
    """The plugins that bring these, as this person gave them."""
    given = [p.given for p in plugins().values() if p.asked and any(p.brings(type(member)) for member in used)]
    return [word for plugin in given for word in ("--plugin", plugin)]


def _guidance_words(by: "Guidance", sampling: About, own: About) -> list[str]:
    from unclip.diffusion import guidance

    words = list[str]()
    if isinstance(by, guidance.StaticThreshold) and isinstance(by.of, guidance.CLIPGuidance):
        by = by.of
    if isinstance(by, guidance.GradientGuidance):
        option = "clip" if isinstance(by, guidance.CLIPGuidance) else "classifier"
        words += [f"--{option}-guidance", str(by.scale)]
        by = by.of
    if isinstance(by, guidance.Unguided):
        return words + ["--guidance", "1"] * (table_in(own, "guidance").get("kind", "Unguided") != "Unguided")
    named = guidance.name_of(by)
    if named is None:
        return words + _none("guidance", sampling, own)
    form, scale = named
    words += ["--guidance", str(scale)] if guidance.takes_scale(form) else []
    return words + (["--guidance-form", form] if form != "cfg" else [])


def check_own(sampling: About, run: Path) -> None:
    """Raises NoCommand where an image was drawn by another sampler or grid than its run's, where that is at hand."""
    if own := sampling_of(run):
        for option in ("sampler", "grid"):
            _none(option, sampling, own)


def sampling_of(run: Path) -> About:
    """How a run draws unless told otherwise; empty where it is not at hand."""
    from unclip.core.config.tables import read_json
    from unclip.core.disk import store
    from unclip.runs.folder import RunFolder

    try:
        head = read_json(run / RunFolder(run).drawing / store.HEAD, "a model's config")
    except (OSError, ValueError):
        return {}
    return table_in(table_in(head, "config"), "sampling")


def nameless(option: str, value: object) -> str:
    """Why an option cannot say this."""
    return f"its {option} {describe(value)} has no name to type; from Python: unclip.Settings({option}=...)"


def _member(family: type[C], option: str, sampling: About) -> C:
    """The sampler, the grid or the guidance that an image names. Raises NoCommand for one that nobody here knows."""
    kind = table_in(sampling, option).get("kind")
    if isinstance(kind, str) and kind not in members(family):
        raise NoCommand(
            f"its {option} {kind} is none of unclip's; `unclip info IMAGE --plugin FILE`, with the file of it, "
            "prints the command"
        )
    return family.from_dict(sampling[option])


def _none(option: str, sampling: About, own: About) -> list[str]:
    """No words, where the run draws so by itself. Raises NoCommand where it does not, or is not at hand to tell."""
    if not own or own.get(option) != sampling.get(option):
        raise NoCommand(nameless(option, sampling.get(option)))
    return []

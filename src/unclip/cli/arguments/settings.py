"""Settings in layers: preset < settings file < environment < command line; each knows where it came from."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from unclip.cli.arguments.options import TrainOptions
from unclip.core.config.base import WrongSetting
from unclip.core.config.duration import seconds
from unclip.core.config.ranges import is_number, quote
from unclip.recipes.api.data import flipped
from unclip.recipes.presets import DEFAULTS, PRESETS
from unclip.recipes.settings.changes import leaves, may_change
from unclip.recipes.settings.recipe import stages_of
from unclip.recipes.settings.run import RunConfig, merge, read_settings, together
from unclip.recipes.stages.ddpm import DDPMRecipe

NAMED = ("model", "budget", "size", "seed", "precision", "background", "fit", "captions", "caption_column")
"""Settings with an option and an environment variable of their own."""
PRESET, FILE, ENVIRONMENT, OPTIONS = range(4)
"""Ranks of what is said."""
DEEPEST = 12
"""Names in the path of a setting."""

BETAS = {
    "linear": "LinearBeta",
    "quadratic": "QuadraticBeta",
    "scaled-linear": "ScaledLinearBeta",
    "sigmoid": "SigmoidBeta",
    "cosine": "CosineBeta",
}
"""--beta-schedule -> its class."""
DDPM_ENDS = {"beta_1": 1e-4, "beta_T": 0.02}
ENDS = {
    "LinearBeta": DDPM_ENDS,
    "QuadraticBeta": DDPM_ENDS,
    "SigmoidBeta": DDPM_ENDS,
    "ScaledLinearBeta": {"beta_1": 0.00085, "beta_T": 0.012},
}
"""The betas of T = 1000; 1000 / T times these for another T keep the noise at the end (guided diffusion's code)."""
PREDICTED: dict[str, tuple[dict[str, Any], str]] = {
    "eps": ({"kind": "Simple"}, "Eps"),
    "x0": ({"kind": "PlainX0"}, "X0"),
    "v": ({"kind": "EDMWeight", "sigma_data": 1.0}, "V"),
}
"""--predict -> the weighting that is the plain squared error of it, and its class."""


@dataclass(frozen=True)
class SettingsLayer:
    """A part of the settings and where a person wrote it. rank: the higher wins; within one the order says nothing."""

    origin: str
    table: dict[str, Any]
    rank: int = OPTIONS


def layers(given: TrainOptions, environ: Mapping[str, str]) -> list[SettingsLayer]:
    """Everything that was said, weakest first; the preset is not among it."""
    file = [SettingsLayer(str(given.config), read_settings(given.config), FILE)] if given.config else []
    environment = [replace(layer, rank=ENVIRONMENT) for layer in _from_environment(environ)]
    said = file + environment + _from_options(given)
    if given.classes:
        said.append(SettingsLayer("--classes", {_classed(given, last(said, "model")): {"classes": True}}))
    return [*said, SettingsLayer("--shard", {"shard": True})] if given.shard else said


def _classed(given: TrainOptions, model: str | None) -> str:
    """The stage that --classes is said of: that of the model, or of the preset's; a ddpm's where neither was named."""
    if model is None and given.preset in PRESETS:
        model = PRESETS[given.preset](32).model
    return "ddpm" if model is None else stages_of(model)[-1] if model in DEFAULTS else model


def _from_environment(environ: Mapping[str, str]) -> list[SettingsLayer]:
    names = {name: f"UNCLIP_{name.upper()}" for name in NAMED}
    said = [_named(name, environ[variable], variable) for name, variable in names.items() if environ.get(variable)]
    # A comma may also stand inside a list: only one before a next "name=" separates.
    pairs = re.split(r",(?=\s*[\w.]+\s*=)", environ.get("UNCLIP_SET", ""))
    return said + [assignment(pair, "UNCLIP_SET") for pair in pairs if pair.strip()]


def _from_options(given: TrainOptions) -> list[SettingsLayer]:
    said = {name: getattr(given, name) for name in (*NAMED, "max_bad")}
    named = [_named(k, v, f"--{k.replace('_', '-')}") for k, v in said.items() if v is not None]
    return named + as_ddpm(given) + [assignment(pair, "--set") for pair in given.set or []]


def as_ddpm(given: TrainOptions) -> list[SettingsLayer]:
    """What --T, --beta-schedule and --predict mean; two of them where none was said: 1000, linear, eps."""
    said = {"--T": given.T, "--beta-schedule": given.beta_schedule, "--predict": given.predict}
    origins = [name for name, value in said.items() if value is not None]
    if not origins:
        return []
    kind, T = BETAS[given.beta_schedule or "linear"], given.T or 1000
    schedule: dict[str, Any] = {"kind": kind, "T": 1000 if given.T is None else given.T}
    if kind in ENDS:
        schedule |= {name: end * 1000 / T for name, end in ENDS[kind].items()}
    weighting, target = PREDICTED[given.predict or "eps"]
    diffusion = {"schedule": schedule, "parameterization": {"kind": target}, "weighting": weighting}
    return [SettingsLayer(" ".join(origins), {"ddpm": {"diffusion": diffusion}})]


def _named(name: str, value: Any, origin: str) -> SettingsLayer:
    if name == "caption_column":  # any text is one
        return SettingsLayer(origin, {name: value})
    if name == "budget":
        try:
            return SettingsLayer(origin, {name: seconds(value)})
        except ValueError as error:
            raise ValueError(f"{origin} {error}") from error
    plain = not isinstance(value, str) or name == "background"  # "#808080" would be a comment
    return SettingsLayer(origin, {name: value if plain else _toml(value, origin)})


def assignment(text: str, origin: str) -> SettingsLayer:
    """ "decoder.train.batch=16" -> {"decoder": {"train": {"batch": 16}}}. Raises ValueError that shows the form."""
    path, sign, value = text.partition("=")
    keys = path.strip().split(".")
    if not sign or not all(keys) or len(keys) > DEEPEST:
        raise ValueError(f"{origin} {quote(text)}: write a setting and its value, as decoder.train.batch=16")
    table = reduce(lambda inner, key: {key: inner}, reversed(keys), _toml(value.strip(), f"{origin} {quote(text)}"))
    return SettingsLayer(origin, table)


def _toml(text: str, where: str) -> Any:
    """A TOML value; a bare word is a string."""
    if re.fullmatch(r"[A-Za-z_][\w+-]*", text) and text not in ("true", "false", "inf", "nan"):
        return text
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: {quote(text)} is not a TOML value ({error}); 16, true or [32, 64] are") from error
    if len(table) > 1:
        raise ValueError(f"{where}: one value, in one line")
    return table["value"]


def last(said: Sequence[SettingsLayer], name: str) -> Any:
    """What was said of a setting last, if anything was."""
    values = [layer.table[name] for layer in said if name in layer.table]
    return values[-1] if values else None


def side(said: Sequence[SettingsLayer]) -> int | None:
    """The size that was said last. What is no size at all is refused with its place where the settings are made."""
    size = last(said, "size")
    return size if is_number(size, int) else None


def preset(name: str | None, model: str | None, size: int) -> RunConfig:
    """A preset by name, or the default one of a model. Raises ValueError that lists the names."""
    if name is None and (model or "unclip") not in DEFAULTS:
        raise ValueError(f"model = {model!r}: known are {', '.join(DEFAULTS)}")
    name = name or DEFAULTS[model or "unclip"]
    if name not in PRESETS:
        raise ValueError(f"--preset {name!r}: known are {', '.join(PRESETS)}")
    config = PRESETS[name](size)
    if model not in (None, config.model):
        raise ValueError(f"--preset {name!r} trains model = {config.model!r}, not {model!r}; leave one of them out")
    return config


def base(given: TrainOptions, said: Sequence[SettingsLayer], size: int, flip: bool) -> RunConfig:
    """What lies below everything said: the preset, fitted to the data, without its numbers of steps where a budget was
    asked for, and with no more steps of sampling than --T."""
    config = preset(given.preset, last(said, "model"), size)
    if config.model != "ddpm" and (layer := next(iter(as_ddpm(given)), None)):
        raise ValueError(
            f"{layer.origin}: only a plain DDPM has a chain of its own; add --model ddpm, or say it of a stage: "
            "--set decoder.diffusion.schedule.kind=CosineBeta"
        )
    config = flipped(config.timed() if last(said, "budget") is not None else config, flip)
    if config.model != "ddpm":
        return config
    recipe = config.of(DDPMRecipe)
    steps = min(recipe.sampling.steps, max(1, given.T or recipe.sampling.steps))
    return config.using(ddpm=replace(recipe, sampling=replace(recipe.sampling, steps=steps)))


def resolve(base: RunConfig, said: Sequence[SettingsLayer]) -> RunConfig:
    """`base` with everything said on top, checked as a whole.

    Raises ValueError that names where it was said, the setting and its value.
    """
    table = base.to_dict()
    for rank in sorted({layer.rank for layer in said}):
        table = merge(table, together(layer.table for layer in said if layer.rank == rank))
    try:
        return RunConfig.from_dict(table, "")
    except WrongSetting as error:
        origin = _origin(error, said)
        raise WrongSetting(f"{origin}: {error}" if origin else str(error), error.path) from error


def _origin(error: WrongSetting, said: Sequence[SettingsLayer]) -> str | None:
    """Where the setting that an error is about was said last, if it was."""
    opening = re.match(r"[\w.]+(?= = )", str(error))
    path = error.path or (opening.group() if opening else "")
    path = path.partition("[")[0]
    for layer in reversed(said):
        for leaf, _ in leaves(layer.table):
            if (path and f"{leaf}.".startswith(f"{path}.")) or f"{path}.".startswith(f"{leaf}."):
                return layer.origin
    return None


def check_fit(config: RunConfig, said: Sequence[SettingsLayer]) -> None:
    """Raises ValueError, with what was said of the stage, where its network cannot be or is too large."""
    from unclip.recipes.start.fits import check_networks

    try:
        check_networks(config)
    except ValueError as error:
        stage = re.split(r"[.:]", str(error), maxsplit=1)[0]
        every = [(path, value) for layer in said for path, value in leaves(layer.table)]
        of = [f"{path} = {quote(value)}" for path, value in every if path.partition(".")[0] == stage]
        raise ValueError(f"{error} (said: {', '.join(of)})" if of else str(error)) from error


def check_same(
    stored: RunConfig, said: Sequence[SettingsLayer], out: Path, otherwise: str = "name another --out"
) -> None:
    """Raises ValueError where something was said that cannot be, or that differs from what the run was begun with."""
    try:
        resolve(stored, said)
    except WrongSetting as error:  # a slip of the hand is told as one, not as a difference
        if error.path and _origin(error, said):
            raise
    has = dict(leaves(stored.to_dict()))
    wanted = {path: (value, layer.origin) for layer in said for path, value in leaves(layer.table)}
    for path, (value, origin) in wanted.items():
        if has.get(path) != value and not may_change(path, has.get(path), value):
            raise ValueError(
                f"{origin}: {path} = {quote(value)}, but {out} was begun with {path} = {has.get(path)}; "
                f"leave {origin} out to continue that run, or {otherwise}"
            )

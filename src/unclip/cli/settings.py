"""Settings in layers: preset < settings file < environment < command line; each knows where it came from."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from unclip.cli.duration import seconds
from unclip.cli.options import Given
from unclip.recipes.changes import leaves, may_change
from unclip.recipes.config import RunConfig, merge, read_settings
from unclip.recipes.presets import DEFAULTS, PRESETS

NAMED = ("model", "budget", "size", "seed", "precision")
"""Settings with an option and an environment variable of their own."""


@dataclass(frozen=True)
class Layer:
    """A part of the settings and where a person wrote it."""

    origin: str
    table: dict[str, Any]


def layers(given: Given, environ: Mapping[str, str]) -> list[Layer]:
    """Everything that was said, weakest first; the preset is not among it."""
    file = [Layer(str(given.config), read_settings(given.config))] if given.config else []
    return file + _from_environment(environ) + _from_options(given)


def _from_environment(environ: Mapping[str, str]) -> list[Layer]:
    names = {name: f"UNCLIP_{name.upper()}" for name in NAMED}
    said = [_named(name, environ[variable], variable) for name, variable in names.items() if environ.get(variable)]
    # A comma may also stand inside a list: only one before a next "name=" separates.
    pairs = re.split(r",(?=\s*[\w.]+\s*=)", environ.get("UNCLIP_SET", ""))
    return said + [assignment(pair, "UNCLIP_SET") for pair in pairs if pair.strip()]


def _from_options(given: Given) -> list[Layer]:
    said = {name: getattr(given, name) for name in (*NAMED, "max_bad")}
    named = [_named(k, v, f"--{k.replace('_', '-')}") for k, v in said.items() if v is not None]
    named += [Layer("--classes", {"ddpm": {"classes": True}})] if given.classes else []
    return named + [assignment(pair, "--set") for pair in given.set or []]


def _named(name: str, value: Any, origin: str) -> Layer:
    if name == "budget":
        try:
            return Layer(origin, {name: seconds(value)})
        except ValueError as error:
            raise ValueError(f"{origin} {error}") from error
    return Layer(origin, {name: _toml(value, origin) if isinstance(value, str) else value})


def assignment(text: str, origin: str) -> Layer:
    """ "decoder.train.batch=16" -> {"decoder": {"train": {"batch": 16}}}. Raises ValueError that shows the form."""
    path, sign, value = text.partition("=")
    keys = path.strip().split(".")
    if not sign or not all(keys):
        raise ValueError(f"{origin} {text!r}: write a setting and its value, as decoder.train.batch=16")
    table = reduce(lambda inner, key: {key: inner}, reversed(keys), _toml(value.strip(), f"{origin} {text!r}"))
    return Layer(origin, table)


def _toml(text: str, where: str) -> Any:
    """A TOML value; a bare word is a string."""
    if re.fullmatch(r"[A-Za-z_][\w+-]*", text) and text not in ("true", "false", "inf", "nan"):
        return text
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}: {text!r} is no TOML value ({error}); 16, true or [32, 64] are") from error
    if len(table) > 1:
        raise ValueError(f"{where}: one value, in one line")
    return table["value"]


def last(said: Sequence[Layer], name: str) -> Any:
    """What was said of a setting last, if anything was."""
    values = [layer.table[name] for layer in said if name in layer.table]
    return values[-1] if values else None


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


def base(given: Given, said: Sequence[Layer], size: int, flip: bool) -> RunConfig:
    """What lies below everything said: the preset, fitted to the data, without its numbers of steps where a budget was
    asked for."""
    config = preset(given.preset, last(said, "model"), size)
    config = config.timed() if last(said, "budget") is not None else config
    return replace(config, ddpm=replace(config.ddpm, flip=flip))


def resolve(base: RunConfig, said: Sequence[Layer]) -> RunConfig:
    """`base` with each layer on top. Raises ValueError that names the layer, the setting and its value."""
    return reduce(lambda c, layer: RunConfig.from_dict(merge(c.to_dict(), layer.table), layer.origin), said, base)


def check_same(stored: RunConfig, said: Sequence[Layer], out: Path) -> None:
    """Raises ValueError where something was said that differs from the settings with which the run was begun."""
    has = dict(leaves(stored.to_dict()))
    wanted = {path: (value, layer.origin) for layer in said for path, value in leaves(layer.table)}
    for path, (value, origin) in wanted.items():
        if has.get(path) != value and not may_change(path, has.get(path), value):
            raise ValueError(
                f"{origin}: {path} = {value}, but {out} was begun with {path} = {has.get(path)}; "
                f"leave {origin} out to continue that run, or name another --out"
            )

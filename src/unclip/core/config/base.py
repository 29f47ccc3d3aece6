"""Settings as frozen dataclasses that survive a trip through JSON or TOML.

A field typed with an abstract family (a `Schedule`, a `Sampler`) is stored with a `kind`, the class's name; it is
looked up among the family's subclasses, never imported by path, so a file cannot name code to run.

A number declares its range at its field (`core.config.ranges`): `batch: Annotated[int, Range(1, 65536)]`. It is checked
wherever settings are made, before a class's own `__post_init__`, which may check how its fields go together.

A field made by `runtime()` is not a setting: it is a model that the settings are used with, and is not stored, compared
or shown.
"""

import functools
import typing
from collections.abc import Iterable
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from inspect import isabstract
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from unclip.core.config.families import PLUGIN, members, nearest
from unclip.core.config.ranges import Length, Range, alternatives, expected, faults, is_number, quote, unpacked
from unclip.core.config.tables import is_list, is_table
from unclip.core.shown import printable

C = TypeVar("C", bound="Config")


class WrongSetting(ValueError):
    """A setting that cannot be. path: where it stands, "decoder.train.batch"; "" for the whole."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


def runtime() -> Any:
    """A field that is given in code, None until then."""
    return field(default=None, repr=False, compare=False, metadata={"stored": False})


def stored(cls: type) -> "dict[str, Field[Any]]":
    """Name -> field of every setting; leaves out what is made by `runtime`."""
    return {f.name: f for f in fields(cls) if f.metadata.get("stored", True)}


def options(config: "Config", kind: "type[Config]", **changes: Any) -> dict[str, Any]:
    """Name -> value of the settings that `config` has from a class which it inherits from: what another heir of that
    class is made with. changes: those that take another value."""
    return {name: getattr(config, name) for name in stored(kind)} | changes


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """Name -> type of every setting, with its ranges."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in stored(cls)}


class Config:
    """The base class of all settings, which are frozen dataclasses: `from_dict` reads what `to_dict` wrote."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Puts the check of the ranges before the class's own `__post_init__`."""
        super().__init_subclass__(**options)
        own = cls.__dict__.get("__post_init__")
        if own is None:
            return

        @functools.wraps(own)
        def checked(self: Config) -> None:
            _check_ranges(self)
            own(self)

        setattr(cls, "__post_init__", checked)  # noqa: B010  # a type checker knows no such attribute

    def __post_init__(self) -> None:
        _check_ranges(self)

    def to_dict(self) -> dict[str, Any]:
        """The settings as dicts, lists, numbers and strings; None is left out, as TOML has no null."""
        pairs = ((name, getattr(self, name)) for name in stored(type(self)))
        body = {name: _plain(value) for name, value in pairs if value is not None}
        return {"kind": type(self).__name__, **body} if _is_member(type(self)) else body

    @classmethod
    def from_dict(cls: type[C], data: Any, where: str = "settings") -> C:
        """Makes the settings from what `to_dict` wrote.

        Args:
            data: the dict.
            where: the file or option that it comes from, for messages.

        Raises:
            WrongSetting: (a ValueError) names the place, the setting, its value and what was expected.
        """
        try:
            return read_member(cls, data, "")
        except WrongSetting as error:
            raise WrongSetting(f"{where}: {error}" if where else str(error), error.path) from error.__cause__


def _check_ranges(config: Config) -> None:
    for name, hint in hints_of(type(config)).items():
        for path, value, want in faults(hint, getattr(config, name), name):
            _refuse(f"{type(config).__name__}.{path}", value, want)


def _is_member(cls: type) -> bool:
    return any(isabstract(base) for base in cls.__mro__[1:])


def read_member(cls: type[C], data: Any, path: str) -> C:
    """The config of a table that stands at `path`, as `from_dict` reads it. Raises WrongSetting."""
    check_table(data, path)
    target, data = _resolve(cls, dict(data), path)
    return make(target, read_fields(target, data, path), path)


def check_table(data: Any, path: str) -> None:
    """Raises WrongSetting for what is not a table. path: where it stands, as of `WrongSetting`."""
    if not is_table(data):
        _refuse(path or "this", data, "a table of settings")


def read_fields(cls: type[Config], data: dict[str, Any], path: str, also: Iterable[str] = ()) -> dict[str, Any]:
    """Name -> value for `cls`, of a table. also: what a reader may have meant besides, where a name is unknown.

    Raises WrongSetting for an unknown or missing name, and for a value of the wrong kind.
    """
    hints, known = hints_of(cls), stored(cls)
    for name in data:
        if name not in known:
            near = nearest(name, [*known, *also])
            raise WrongSetting(f"{_at(path)}unknown setting {quote(name)}; {near}", _join(path, name))
    for name, f in known.items():
        if name not in data and f.default is MISSING and f.default_factory is MISSING:
            if type(None) not in alternatives(hints[name]):
                raise WrongSetting(f"{_at(path)}the setting {name!r} is missing", path)
            data[name] = None
    return {name: _build(hints[name], value, _join(path, name)) for name, value in data.items()}


def make(cls: type[C], values: dict[str, Any], path: str) -> C:
    """The config of these values. Raises WrongSetting where they do not go together."""
    try:
        return cls(**values)
    except WrongSetting:
        raise
    except ValueError as error:
        raise WrongSetting(f"{_at(path)}{error}", path) from error


def _at(path: str) -> str:
    return f"{path}: " if path else ""


def _join(path: str, name: Any) -> str:
    return f"{path}.{printable(name, 60)}" if path else printable(name, 60)


def _resolve(cls: type[C], data: dict[str, Any], path: str) -> tuple[type[C], dict[str, Any]]:
    if not (isabstract(cls) or _is_member(cls)):
        return cls, data
    kind, known = data.pop("kind", cls.__name__), members(cls)
    if not isinstance(kind, str) or kind not in known:
        raise WrongSetting(f"{_at(path)}unknown kind {quote(kind)}; {nearest(kind, sorted(known))}; {PLUGIN}", path)
    return known[kind], data


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if is_list(value):
        return [_plain(v) for v in value]
    return value


def _build(hint: Any, value: Any, path: str) -> Any:
    options = alternatives(hint)
    if value is None and type(None) in options:
        return None
    options = [option for option in options if option is not type(None)]
    as_table = isinstance(value, Config) or is_table(value)
    hint, ranges = unpacked(next((option for option in options if _is_config(option) == as_table), options[0]))
    if get_origin(hint) is tuple:
        return _build_tuple(hint, value, path, ranges)
    if get_origin(hint) is typing.Literal:
        known = get_args(hint)
        return value if value in known else _refuse(path, value, f"one of {', '.join(map(str, known))}")
    if _is_config(hint):
        return value if isinstance(value, Config) else read_member(hint, value, path)
    return _build_scalar(hint, value, path, ranges)


def _is_config(hint: Any) -> bool:
    return is_dataclass(hint) or (isinstance(hint, type) and issubclass(hint, Config))


def _build_tuple(hint: Any, value: Any, path: str, lengths: list[Range | Length]) -> tuple[Any, ...]:
    if not is_list(value):
        _refuse(path, value, "a list")
    inner = get_args(hint)
    if inner[-1] is not Ellipsis and len(value) != len(inner):
        _refuse(path, value, f"{len(inner)} values")
    for length in lengths:
        if not length.holds(value):
            _refuse(path, value, length.words())
    return tuple(
        _build(inner[0] if inner[-1] is Ellipsis else inner[i], v, f"{path}[{i}]") for i, v in enumerate(value)
    )


def _build_scalar(hint: Any, value: Any, path: str, ranges: list[Range | Length]) -> Any:
    if hint in (int, float):
        if not (is_number(value, hint) and all(r.holds(value) for r in ranges)):
            _refuse(path, value, expected(hint, ranges))
        return hint(value)
    right = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    return value if right else _refuse(path, value, f"a value of type {hint.__name__}")


def _refuse(path: str, value: Any, expected: str) -> NoReturn:
    raise WrongSetting(f"{path} = {quote(value)}: expected {expected}", path)

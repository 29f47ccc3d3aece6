"""Settings as frozen dataclasses that survive a trip through JSON or TOML.

A field typed with an abstract family (a `Schedule`, a `Sampler`) is stored with a `kind`, the class's name; it is
looked up among the family's subclasses, never imported by path, so a file cannot name code to run. A family that was
once a single class says with `unnamed` which member a file without a `kind` means.

A field made by `runtime()` is no setting: a model that the settings are used with. It is not stored, compared or shown.
"""

import types
import typing
from dataclasses import MISSING, Field, field, fields, is_dataclass
from inspect import isabstract
from typing import Any, TypeVar, Union, get_args, get_origin

C = TypeVar("C", bound="Config")


def runtime() -> Any:
    """A field that is given in code, None until then."""
    return field(default=None, repr=False, compare=False, metadata={"stored": False})


def stored(cls: type) -> "dict[str, Field[Any]]":
    """Name -> field of every setting; leaves out what is made by `runtime`."""
    return {f.name: f for f in fields(cls) if f.metadata.get("stored", True)}


class Config:
    """Base of every settings dataclass: `to_dict` and `from_dict` are inverse to each other."""

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, lists, numbers and strings; None fields are left out (TOML has no null)."""
        pairs = ((name, getattr(self, name)) for name in stored(type(self)))
        body = {name: _plain(value) for name, value in pairs if value is not None}
        return {"kind": type(self).__name__, **body} if _is_member(type(self)) else body

    @classmethod
    def from_dict(cls: type[C], data: Any, where: str = "settings") -> C:
        """The config that `to_dict` wrote.

        Raises ValueError that names the place, the value and what was expected.
        """
        if not isinstance(data, dict):
            raise ValueError(f"{where}: expected a table of settings, got {data!r}")
        target, data = _resolve(cls, dict(data), where)
        hints = typing.get_type_hints(target)
        known = stored(target)
        for name in data:
            if name not in known:
                raise ValueError(f"{where}: unknown setting {name!r}; known are {', '.join(known)}")
        for name, f in known.items():
            if name not in data and f.default is MISSING and f.default_factory is MISSING:
                if _optional(hints[name]):
                    data[name] = None
                else:
                    raise ValueError(f"{where}: the setting {name!r} is missing")
        return target(**{name: _build(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def _is_member(cls: type) -> bool:
    return any(isabstract(base) for base in cls.__mro__[1:])


def _subclasses(cls: type) -> dict[str, type]:
    found = {} if isabstract(cls) else {cls.__name__: cls}
    for sub in cls.__subclasses__():
        found |= _subclasses(sub)
    return found


def _resolve(cls: type, data: dict[str, Any], where: str) -> tuple[type, dict[str, Any]]:
    if not (isabstract(cls) or _is_member(cls)):
        return cls, data
    kind, members = data.pop("kind", getattr(cls, "unnamed", cls.__name__)), _subclasses(cls)
    if not isinstance(kind, str) or kind not in members:
        raise ValueError(f"{where}: unknown kind {kind!r}; known are {', '.join(sorted(members))}")
    return members[kind], data


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def _optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def _build(hint: Any, value: Any, where: str) -> Any:
    if _optional(hint):
        if value is None:
            return None
        hint = next(a for a in get_args(hint) if a is not type(None))
    if get_origin(hint) is tuple:
        return _build_tuple(hint, value, where)
    if get_origin(hint) is typing.Literal:
        return _check(value in get_args(hint), value, where, f"one of {', '.join(map(str, get_args(hint)))}")
    if is_dataclass(hint) or (isinstance(hint, type) and issubclass(hint, Config)):
        return value if isinstance(value, Config) else hint.from_dict(value, where)  # pyright: ignore
    return _build_scalar(hint, value, where)


def _build_tuple(hint: Any, value: Any, where: str) -> tuple[Any, ...]:
    _check(isinstance(value, list | tuple), value, where, "a list")
    inner = get_args(hint)
    if inner[-1] is not Ellipsis:
        _check(len(value) == len(inner), value, where, f"{len(inner)} values")
    return tuple(_build(inner[0] if inner[-1] is Ellipsis else inner[i], v, where) for i, v in enumerate(value))


def _build_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    right = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    return _check(right, value, where, f"a value of type {hint.__name__}")


def _check(good: bool, value: Any, where: str, wanted: str) -> Any:
    if not good:
        raise ValueError(f"{where} = {value!r}: expected {wanted}")
    return value

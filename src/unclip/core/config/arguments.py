"""What a person calls in Python, checked at the door: keywords by their names, values by their annotated types."""

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, TypeVar, cast, get_args, get_origin

from unclip.core.config.families import nearest
from unclip.core.config.ranges import alternatives
from unclip.core.shown import printable

P = ParamSpec("P")
R = TypeVar("R")


class WrongArgument(TypeError, ValueError):
    """A call that cannot be meant: a TypeError as Python's own, a ValueError as all that unclip refuses."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, or method, that refuses an unknown keyword or a value of another type by name.

    Of types it knows numbers, words, truth values, a choice of words, dataclasses (whose MEANT may say what they are to
    a person), and None beside one of these; arguments of other types are left to the function.
    """
    signature = inspect.signature(function)
    hints = dict[str, Any]()
    for name, each in signature.parameters.items():
        if each.kind is each.VAR_KEYWORD:  # **options: Unpack[SomeTypedDict]
            hints |= get_args(each.annotation)[0].__annotations__
        elif name != "self":
            hints[name] = each.annotation

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in hints:
                raise WrongArgument(f"{function.__name__}: unknown option {name!r}; {_known(name, hints)}")
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise WrongArgument(f"{function.__name__}: {error}") from None
        for name, value in (bound.arguments | kwargs).items():
            wanted = _wanted(hints.get(name), value)
            if wanted:
                raise WrongArgument(f"{function.__name__}: {name} = {printable(repr(value), 80)}: expected {wanted}")
        return function(*args, **kwargs)

    return call


def _known(name: str, hints: dict[str, Any]) -> str:
    for place, hint in hints.items():
        for option in alternatives(hint):
            if is_dataclass(option) and name in {f.name for f in fields(option)}:
                return f"it goes into {place}={option.__name__}({name}=...)"  # pyright: ignore
    return nearest(name, hints)


def _wanted(hint: Any, value: Any) -> str:
    """What was expected of a value that is none of that; "" where it is, or nobody can say."""
    wanted: list[str] = []
    for option in alternatives(hint):
        told, fits = _judge(option, value)
        if fits:
            return ""
        wanted.append(told)
    return " or ".join(wanted)


def _judge(hint: Any, value: Any) -> tuple[str, bool]:
    """What a type is called, and whether the value is of it."""
    if hint is type(None):
        return "None", value is None
    if hint is bool:
        return "True or False", isinstance(value, bool)
    if hint is int:
        return "a whole number", not isinstance(value, bool) and isinstance(value, Integral)
    if hint is float:
        return "a number", not isinstance(value, bool) and isinstance(value, Real) and value == value
    if hint is str:
        return "words", isinstance(value, str)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}", value in get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return getattr(hint, "MEANT", f"a {hint.__name__}"), isinstance(value, hint)
    return "", True


def texts(name: str, given: object) -> list[str]:
    """Prompts or labels from a list, a generator or an open file, the ends of lines taken off, empty lines left out.

    Raises WrongArgument for a single string, and for what is not a list of words.
    """
    if isinstance(given, str):
        raise WrongArgument(f"{name} = {printable(repr(given), 80)}: pass a list, [{printable(repr(given), 80)}]")
    if not isinstance(given, Iterable):
        raise WrongArgument(f"{name} = {printable(repr(given), 80)}: expected a list of words")
    words = cast("Iterable[object]", given)
    found: list[str] = []
    for text in words:
        if not isinstance(text, str):
            raise WrongArgument(f"{name}: {printable(repr(text), 80)} is no words (str)")
        if text not in ("\n", "\r\n"):
            found.append(text.rstrip("\r\n"))
    return found

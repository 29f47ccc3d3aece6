"""Every annotation of unclip as an assertion: beartype checks types, jaxtyping that the axes of a call agree.

`jaxtyping.jaxtyped` gives each function two checkers, finds its shapes by name in each call, and checks the arguments
twice: 10 s for the imports of a process, and more than a small network's own time. Here a function has one checker, and
a scope for the names of axes only where its annotations name any.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

THOROUGH = jaxtyping.jaxtyped
SCOPE = jaxtyping.jaxtyped("context")
CHECK = beartype(conf=BeartypeConf(violation_type=TypeError))


def install(package: str) -> None:
    """What is imported of this package from now on is checked. jaxtyping's hook writes `@jaxtyping.jaxtyped(...)`."""
    jaxtyping.install_import_hook(package, "beartype.beartype")
    jaxtyping.jaxtyped = lambda typechecker: functools.partial(checked, thorough=THOROUGH(typechecker=typechecker))


def checked(what: Any, thorough: Callable[[Any], Any]) -> Any:
    """A class, function or method of the package, checked; thorough: jaxtyping's own way, for what begins lazily."""
    again = functools.partial(checked, thorough=thorough)
    if inspect.isclass(what):
        if hasattr(what, "__dataclass_fields__") and "__init__" in vars(what):
            what.__init__ = again(what.__init__)
        return what
    if isinstance(what, classmethod | staticmethod):
        return type(what)(again(what.__func__))
    if isinstance(what, property):
        return property(*(part and again(part) for part in (what.fget, what.fset, what.fdel)))
    if inspect.isgeneratorfunction(what) or inspect.iscoroutinefunction(what) or inspect.isasyncgenfunction(what):
        return thorough(what)
    return by_one(what)


def by_one(function: types.FunctionType) -> Callable[..., Any]:
    """The function with one checker of arguments and result."""
    hints = annotations(function)
    if not hints:
        return function
    bare = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    bare.__kwdefaults__, bare.__annotations__ = function.__kwdefaults__, hints
    bare.__module__, bare.__qualname__ = function.__module__, function.__qualname__
    inner = CHECK(bare)
    if not any(map(names_axes, hints.values())):
        return functools.update_wrapper(inner, function)

    @functools.wraps(function)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        with SCOPE:
            return inner(*args, **kwargs)

    return scoped


def annotations(function: types.FunctionType) -> dict[str, Any]:
    """Name -> type; a name that is not known yet, such as that of the class around a method, is of any type."""
    return {name: resolved(hint, function.__globals__) for name, hint in function.__annotations__.items()}


def resolved(hint: Any, known: dict[str, Any]) -> Any:
    if type(hint) is not str and not typing.get_args(hint):
        return hint

    def holder() -> None: ...

    holder.__annotations__ = {"value": hint}
    try:
        return typing.get_type_hints(holder, known, include_extras=True)["value"]
    except Exception:  # as jaxtyping does: a name may stand for anything, in a text of any form
        return Any


def names_axes(hint: Any) -> bool:
    """Whether it is a jaxtyping array, or holds one."""
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    if isinstance(hint, list | tuple):  # the parameters of a Callable
        return any(map(names_axes, hint))
    return any(map(names_axes, typing.get_args(hint)))

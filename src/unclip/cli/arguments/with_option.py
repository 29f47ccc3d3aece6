"""An option that many commands have, added to each by a decorator."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec

P = ParamSpec("P")


def with_option(
    command: Callable[P, None], name: str, hint: object, around: Callable[[Any], AbstractContextManager[object]]
) -> Callable[P, None]:
    """The command with an option `--name`, last in its help, that runs within `around(value)`.

    hint: the option's annotated type; its value is None where it was not typed.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with around(kwargs.pop(name, None)):
            command(*args, **kwargs)

    known = inspect.signature(command)
    option = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
    run.__signature__ = known.replace(parameters=[*known.parameters.values(), option])  # pyright: ignore
    run.__annotations__ = {**command.__annotations__, name: hint}
    return run

"""`--device` for every command that runs a model."""

import functools
import inspect
import os
from collections.abc import Callable
from typing import Annotated, ParamSpec

from cyclopts import Parameter

P = ParamSpec("P")

DEVICE = Annotated[
    str | None,
    Parameter(
        help="Where the networks run: cpu, cuda, cuda:1, mps; by default the best there is (or UNCLIP_DEVICE). "
        "Example: --device cpu"
    ),
]


def on_device(command: Callable[P, None]) -> Callable[P, None]:
    """The command with an option `--device`, last in its help."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        name = kwargs.pop("device", None) or os.environ.get("UNCLIP_DEVICE")
        if name is None:
            command(*args, **kwargs)
            return
        from unclip.core import machine

        with machine.using(str(name)):
            command(*args, **kwargs)

    known = inspect.signature(command)
    option = inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DEVICE)
    run.__signature__ = known.replace(parameters=[*known.parameters.values(), option])  # pyright: ignore
    run.__annotations__ = {**command.__annotations__, "device": DEVICE}
    return run

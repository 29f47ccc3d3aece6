"""`--device` for every command that runs a model."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, ParamSpec

from cyclopts import Parameter

from unclip.cli.arguments.with_option import with_option

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
    return with_option(command, "device", DEVICE, _using)


def _using(said: str | None) -> AbstractContextManager[object]:
    name = said or os.environ.get("UNCLIP_DEVICE")
    if name is None:
        return nullcontext()
    from unclip.core import machine

    return machine.using(name)

"""`--no-metadata` for every command that draws."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, ParamSpec

from cyclopts import Parameter

from unclip.cli.arguments.with_option import with_option

P = ParamSpec("P")

NO_METADATA = Annotated[
    bool | None,
    Parameter(help="Write nothing into the images of what made them (prompt, seed, settings, model).", negative=""),
]


def signing(command: Callable[P, None]) -> Callable[P, None]:
    """The command with an option `--no-metadata`."""
    return with_option(command, "no_metadata", NO_METADATA, _unless)


def _unless(unwanted: bool | None) -> AbstractContextManager[object]:
    if not unwanted:
        return nullcontext()
    from unclip.images.files import unsigned

    return unsigned()

"""`--plugin` for every command that reads settings or a run."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, ParamSpec

from cyclopts import Parameter

from unclip.cli.arguments.with_option import with_option
from unclip.cli.errors import guarded
from unclip.core.shown import printable

if TYPE_CHECKING:
    from unclip.core.plugins.given import Plugin

P = ParamSpec("P")

VARIABLE = "UNCLIP_PLUGINS"
PLUGIN = Annotated[
    list[str] | None,
    Parameter(
        help="A Python file, or a module, that is imported first: samplers, schedules, networks, stages of yours are "
        f"then known by name; may be repeated (or {VARIABLE}). Example: --plugin mine.py",
        negative="",
        consume_multiple=False,
    ),
]


def pluggable(command: Callable[P, None]) -> Callable[P, None]:
    """The command with an option `--plugin`, last in its help; what installed packages bring is imported, too."""
    return guarded(with_option(command, "plugin", PLUGIN, _importing))


@contextmanager
def _importing(said: Sequence[str] | None) -> Generator[None, None, None]:
    """Imports what was typed and what the environment names, and remembers that this person gave it."""
    from unclip.core.plugins.given import import_installed, import_plugin, one_command

    import_installed()
    with one_command():
        listed = [part.strip() for part in os.environ.get(VARIABLE, "").split(os.pathsep)]
        for given in filter(None, listed):
            _remember(import_plugin(given, VARIABLE))
        for given in said or ():
            _remember(import_plugin(given))
        yield


def _remember(plugin: "Plugin") -> None:
    """Puts it on the list of what this person has given; a list that cannot be written is told, and changes nothing."""
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.warnings import say
    from unclip.core.plugins.trust import remember, trust_file

    try:
        remember(plugin)
    except OSError as error:
        why = printable(error.strerror or error).lower()
        say(stdout(), f"{trust_file()}: cannot be written ({why}): runs with this plugin will ask for it again")

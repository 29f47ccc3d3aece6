"""What goes wrong below becomes one red line on stderr and an exit code; UNCLIP_DEBUG=1 shows the traceback."""

import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NoReturn, ParamSpec

from unclip.cli.screen.console import OUT, line, stderr
from unclip.core.imports.missing import install
from unclip.core.plugins.errors import NotGiven, fault_of
from unclip.core.shown import printable, shell_command

P = ParamSpec("P")

WRONG, STOPPED, FAILED, BROKEN = 2, 130, 1, 3
"""Exit codes: what was asked for cannot be done; stopped by a signal; a gate said no; unclip itself is at fault."""
OPTIONAL = {"matplotlib", "pyarrow"}
"""Packages that only some commands need."""
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says in a RuntimeError where memory is short."""


def fail(message: str, code: int = WRONG) -> NoReturn:
    """Says what is wrong and ends the command."""
    stderr().print(line(("error: ", "bold red"), message))
    sys.exit(code)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command with its errors told to a person."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        OUT.lost = ""
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            fail("stopped", STOPPED)
        except Exception as error:
            if os.environ.get("UNCLIP_DEBUG"):
                raise
            fail(*_told(error))
        if OUT.lost:
            fail(f"what was to be shown on stdout is lost ({OUT.lost}); the rest is done")

    return run


def _told(error: Exception) -> tuple[str, int]:
    """What to say of it, and the exit code."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _lacks_memory(error)):
        return "not enough memory for this; ask for less at a time (-n, --size, train.batch), or close something", WRONG
    if isinstance(error, ImportError) and (package := (error.name or "").partition(".")[0]) in OPTIONAL:
        return install("this needs", package), WRONG
    if isinstance(error, UnicodeError):
        return f"not UTF-8: {error}", WRONG
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}", WRONG
    if isinstance(error, NotGiven):
        return f"{error.why}: {_again_with(error.given)}", WRONG
    if isinstance(error, ValueError | OSError):
        return str(error) or type(error).__name__, WRONG
    from unclip.core.plugins.given import plugin_files

    if (fault := fault_of(error, plugin_files())) is not None:
        return fault, WRONG
    return _unexpected(error), BROKEN


def _again_with(plugin: str) -> str:
    """What was typed, with a plugin."""
    name, *words = sys.argv[1:] or ["..."]
    return shell_command("unclip", name, "--plugin", plugin, *words)


def _lacks_memory(error: RuntimeError) -> bool:
    return any(words in str(error).lower() for words in NO_MEMORY)


def _unexpected(error: Exception) -> str:
    """One line about a fault of unclip's own, which names the file that the traceback went to."""
    what = printable(f"{type(error).__name__}: {error}", 200)
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="unclip-error-", suffix=".txt", delete=False
        ) as file:
            file.writelines(traceback.format_exception(error))
        where = f"its traceback is in {file.name}"
    except OSError:
        where = "UNCLIP_DEBUG=1 shows its traceback"
    return f"unclip made a mistake ({what}); {where}: please report it, with what you typed"

"""What goes wrong below becomes one red line on stderr and an exit code; UNCLIP_DEBUG=1 shows the traceback."""

import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

from rich.console import Console
from rich.text import Text

P = ParamSpec("P")

WRONG, STOPPED, FAILED = 2, 130, 1
"""Exit codes: what was asked for cannot be done; stopped by a signal; a gate said no."""
EXTRAS = {"matplotlib": "plots", "pyarrow": "parquet"}
"""Optional package -> the extra that brings it."""


def fail(message: str, code: int = WRONG) -> NoReturn:
    """Says what is wrong and ends the command."""
    line = Text("error: ", style="bold red").append(message, style="not bold red")
    Console(stderr=True, soft_wrap=True, highlight=False).print(line)
    sys.exit(code)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command with its errors told to a person."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            fail("stopped", STOPPED)
        except BrokenPipeError:  # `unclip ... | head`: whoever read has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, OSError, ImportError) as error:
            if os.environ.get("UNCLIP_DEBUG"):
                raise
            fail(_told(error))

    return run


def _told(error: Exception) -> str:
    if isinstance(error, ImportError) and error.name and (extra := EXTRAS.get(error.name.partition(".")[0])):
        return f"this needs {error.name.partition('.')[0]}: pip install 'unclip[{extra}]'"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}"
    return str(error) or type(error).__name__

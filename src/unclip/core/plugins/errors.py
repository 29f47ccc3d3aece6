"""What goes wrong in a plugin's own code, told as its author needs it: what, in which file and line."""

import importlib
import sysconfig
import traceback
from collections.abc import Container, Generator
from contextlib import contextmanager
from pathlib import Path

from unclip.core.shown import printable


class NotGiven(ValueError):
    """A run needs a plugin that its user has not given. why: which, and what to do; given: what follows --plugin."""

    def __init__(self, why: str, given: str) -> None:
        super().__init__(f"{why}: --plugin {given}")
        self.why, self.given = why, given


class Missing(ValueError):
    """A module that a plugin imports is not there. module: its name."""

    def __init__(self, message: str, module: str) -> None:
        super().__init__(message)
        self.module = module


@contextmanager
def own_errors(where: str) -> Generator[None, None, None]:
    """Inside, what a plugin's code raises becomes a ValueError that says what, in which file and line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        told = f"{where}: does not import: {_told(error)}"
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise Missing(told, error.name) from error
        raise ValueError(told) from error


def fault_of(error: BaseException, files: Container[str]) -> str | None:
    """What to say of an error that no check foresaw, where it came out of a plugin's code; else None.

    files: those of the plugins that are imported.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    if not frames:
        return None
    what = printable(f"{type(error).__name__}: {error}", 400)
    return f"{printable(frames[-1].filename)}, line {frames[-1].lineno}, in {frames[-1].name}: {what}"


def _told(error: BaseException) -> str:
    """The error with the last line of the user's own that led to it."""
    what = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{printable(error.filename)}, line {error.lineno}: {printable(what, 400)}"
    machinery = (str(Path(__file__).parents[2]), "<", importlib.__path__[0])
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(machinery)]
    installed = tuple(sysconfig.get_paths().values())
    own = [f for f in frames if not f.filename.startswith(installed)] or frames[:1]
    at = f"{printable(own[-1].filename)}, line {own[-1].lineno}: " if own else ""
    return f"{at}{printable(what, 400)}"

"""Where commands write: every character that a person sees passes here.

Nothing that came from outside is obeyed: no markup, no emoji codes, no control characters (`core.shown`); style comes
from `line` alone. Nothing that happens to a stream stops the work: what its encoding cannot show is escaped, and what
nobody reads any more (`unclip ... | head`) is thrown away.
"""

import codecs
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from unclip.core.shown import visible

PIPED = 1000
"""Columns where nobody looks on: enough for any table, so that no path is cut or broken on its way to grep."""
PLAIN = {"±": "+-", "×": "x", "→": "->", "…": "...", "–": "-", "—": "-", "“": '"', "”": '"', "’": "'", "━": "-"}
"""Letters of our own that an encoding may lack -> what says the same."""


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(a) or a.encode("ascii", "backslashreplace").decode() for a in letters), error.end


ESCAPED = "unclip.escaped"
codecs.register_error(ESCAPED, _escaped)


class Stream:
    """sys.stdout or sys.stderr, whichever that is at the moment; writing to it never fails.

    lost: why something that was to be seen was not, other than that the reader had enough.
    """

    def __init__(self, name: str) -> None:
        self.name, self.lost = name, ""

    def _target(self) -> Any:
        stream = getattr(sys, self.name)  # None where a shell closed it: `unclip ... >&-`
        return getattr(stream, "rich_proxied_file", stream)  # what a progress bar put itself in front of

    @property
    def encoding(self) -> str:
        """What it can show."""
        return getattr(self._target(), "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether a person looks on."""
        stream = self._target()
        return stream is not None and stream.isatty()

    def fileno(self) -> int:
        """As of the stream below. Raises OSError where there is none."""
        stream = self._target()
        if stream is None:
            raise OSError(f"{self.name} is closed")
        return stream.fileno()

    def write(self, text: str) -> int:
        """Shows the text; what the encoding lacks is escaped."""
        encoding = self.encoding
        self._do("write", text.encode(encoding, ESCAPED).decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Sends it."""
        self._do("flush")

    def _do(self, what: str, *given: str) -> None:
        stream = self._target()
        if stream is None:
            return
        try:
            getattr(stream, what)(*given)
        except BrokenPipeError:  # whoever read has enough
            _drain(stream)
        except OSError as error:
            self.lost = self.lost or (error.strerror or str(error)).lower()
            _drain(stream)


def _drain(stream: Any) -> None:
    """Lets all that is written from now on vanish, so that Python's own last flush does not fail."""
    try:
        number = stream.fileno()
    except OSError:  # no file of the system's, as in a test
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


OUT, ERR = Stream("stdout"), Stream("stderr")


class Screen(Console):
    """A console that shows strings as they are, their control characters escaped."""

    def __init__(self, stream: Any, width: int | None = None, terminal: bool | None = None) -> None:
        """stream: a `Stream`, or what is written to as one is. width, terminal: None where the stream tells."""
        super().__init__(
            file=stream,
            width=width,
            force_terminal=terminal,
            soft_wrap=True,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """A string that is printed, or stands in a table."""
        return super().render_str(visible(text), **options)


def stdout() -> Screen:
    """As wide as the terminal, or PIPED in a pipe; lines are never broken, since people copy paths from them."""
    return Screen(OUT, None if OUT.isatty() else PIPED)


def stderr() -> Screen:
    """For errors, and for what is told while one waits."""
    return Screen(ERR)


def line(*parts: str | tuple[str, str]) -> Text:
    """Words, some of them (words, style): the only way to style."""
    return Text.assemble(*((visible(p), "") if isinstance(p, str) else (visible(p[0]), p[1]) for p in parts))

"""The command `unclip`, which is `python -m unclip`, too, where the former is not on the path."""

import codecs
import os
import sys


def main() -> None:
    """Runs the command that was typed."""
    _ensure_utf8()
    from unclip.cli.arguments.aliases import translated
    from unclip.cli.main import app
    from unclip.cli.screen.console import stderr

    words, notes = translated(sys.argv[1:])
    for note in notes:
        stderr().print(note, style="dim")
    app(words)


def _ensure_utf8() -> None:
    """Begins again in Python's UTF-8 mode where the locale has Python take file names and typed words for ASCII.

    Letters beyond it would be half surrogates in a prompt, and no name of a file that is to be written could hold them.
    Python itself does this since 3.7 (PEP 540), unless LC_ALL or PYTHONUTF8=0 forbids it.
    """
    if os.name == "posix" and codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


if __name__ == "__main__":
    main()

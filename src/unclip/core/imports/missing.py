"""Packages that only some features need: a hint that works wherever unclip was installed from."""

import sys

from unclip.core.shown import shell_command


def install(what: str, *packages: str) -> str:
    """ "plots need matplotlib: /path/to/python -m pip install matplotlib"."""
    return f"{what} {', '.join(packages)}: {shell_command(sys.executable, '-m', 'pip', 'install', *packages)}"

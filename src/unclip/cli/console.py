"""Where commands write."""

import sys

from rich.console import Console

PIPED = 1000
"""Columns where nobody looks on: enough for any table, so that no path is cut or broken on its way to grep."""


def stdout() -> Console:
    """As wide as the terminal, or PIPED in a pipe; lines are never broken, since people copy paths from them."""
    return Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else PIPED)

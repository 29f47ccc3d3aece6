"""Which unclip wrote a file, for whoever cannot read it."""

from typing import Any

import unclip
from unclip.core.shown import printable

WRITTEN_BY = "unclip"
"""The name under which a file of settings holds the version that wrote it."""


def by_another(version: Any) -> str:
    """What to add to an error about a file that another version wrote; "" for one of this version."""
    if version is None or version == unclip.__version__:
        return ""
    return (
        f"; unclip {printable(version, 30)} wrote this file, and this is unclip {unclip.__version__}: use that "
        "version, or train again with this one"
    )

"""A function of the user's own that may refuse a prompt before anything is drawn."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from unclip.core.plugins.errors import own_errors

GROUP = "unclip.moderation"
"""Entry points of installed packages that name such a function."""
Refuse = Callable[[str], str | None]


@dataclass(frozen=True)
class Moderation:
    """refuse: called with a text; what it returns is why nothing is drawn of it. None: everything is drawn."""

    refuse: Refuse | None = None

    async def why(self, *texts: str | None) -> str | None:
        """Why a request with these texts is refused. The function runs in a thread: it may ask another server."""
        said = "\n".join(text for text in texts if text and text.strip())
        return await asyncio.to_thread(self.refuse, said) if self.refuse and said else None


def moderation(where: str) -> Moderation:
    """What an entry point of this name, or "module:function", names; "" refuses nothing.

    Raises ValueError where there is no such function.
    """
    if not where:
        return Moderation()
    named = next(iter(entry_points(group=GROUP, name=where)), None)
    if named is None and ":" not in where:
        known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none is installed"
        raise ValueError(
            f"--moderation {where}: expected MODULE:FUNCTION, or the name of an entry point of the group {GROUP} "
            f"({known})"
        )
    with own_errors(f"--moderation {where}"):
        return Moderation((named or EntryPoint(where, where, GROUP)).load())

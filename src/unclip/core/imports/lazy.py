"""Public names of a package that are imported when they are first used (PEP 562), so that importing it stays cheap.

A package says each name twice: as an import under TYPE_CHECKING, which an editor reads, and to `lazy` in the `else`,
which Python runs. An editor never sees the `else`, so a misspelled name is an error there.
`tests/architecture/test_public_names.py` holds the two equal.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(
    package: str, homes: Mapping[str, str], rooms: str = ""
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Makes the `__all__`, `__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        homes: module -> the public names that come from it, with spaces between them.
        rooms: packages below it that `package.room` imports, with spaces between them.

    What it makes raises AttributeError for every other name.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> Any:
        if name in rooms.split():
            return importlib.import_module(f"{package}.{name}")
        if name in home:
            return getattr(importlib.import_module(home[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return list(home), get, lambda: sorted({*vars(sys.modules[package]), *home, *rooms.split()})

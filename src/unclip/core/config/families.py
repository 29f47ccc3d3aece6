"""Families of settings: an abstract base and its members, whoever defined them. A file names a member by its class.

A person may also type a name: one of a table (`ddim`), the one that a class declares (`name: ClassVar[str] = "mid"`) or
the class's own (`Midpoint`); the latter two mean the class as it is without arguments.
"""

from collections.abc import Mapping
from inspect import isabstract
from typing import TypeVar

F = TypeVar("F")


def members(family: type[F]) -> dict[str, type[F]]:
    """Name of the class -> class, of all that can be made; of two with one name, the one that was made later."""
    found = {} if isabstract(family) else {family.__name__: family}
    for sub in family.__subclasses__():
        found |= members(sub)
    return found


def named(family: type[F], table: Mapping[str, F], name: str) -> F:
    """The member of this name. Raises ValueError with the known names."""
    if name in table:
        return table[name]
    what, own = family.__name__.lower(), members(family)
    declared = {_name(cls): cls for cls in own.values()}
    cls = own.get(name) or declared.get(name)
    if cls is None:
        known = [*table, *(word for word, cls in declared.items() if not cls.__module__.startswith("unclip."))]
        raise ValueError(f"{what} = {name!r}: known are {', '.join(known)}")
    try:
        return cls()
    except TypeError as error:
        raise ValueError(f"{what} = {name!r}: no name stands for its settings ({error}); use it from Python") from error


def name_of(value: F, family: type[F], table: Mapping[str, F]) -> str | None:
    """The name that `named` gives this member for, if one does."""
    found = next((name for name, known in table.items() if known == value), None)
    if found is not None:
        return found
    name = _name(type(value))
    try:
        return name if named(family, table, name) == value else None
    except ValueError:
        return None


def _name(cls: type) -> str:
    """What a class is called: as it says of itself, not as a class that it inherits from does."""
    name = vars(cls).get("name")
    return name if isinstance(name, str) and name else cls.__name__

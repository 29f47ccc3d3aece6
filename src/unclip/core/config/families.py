"""Families of settings: an abstract base and its members, whoever defined them. A file names a member by its class.

A person may also type a name: one of a table (`ddim`), the one that a class declares (`name: ClassVar[str] = "mid"`) or
the class's own (`Midpoint`); the latter two mean the class as it is without arguments.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from inspect import isabstract
from typing import TypeVar

F = TypeVar("F")

PLUGIN = "one of your own is known once its file is imported: --plugin FILE"
"""What to do where a name is unknown."""


def nearest(name: object, known: Iterable[str]) -> str:
    """ "did you mean 'batch'?", or the names that there are."""
    known = list(known)
    close = difflib.get_close_matches(str(name)[:60], known, 1)
    listed = f"known are {', '.join(known)}"
    return f"did you mean {close[0]!r}? {listed}" if close else listed


def members(family: type[F]) -> dict[str, type[F]]:
    """Name of the class -> class, of all that can be made; of two with one name, the one that was made later."""
    found = {} if isabstract(family) else {family.__name__: family}
    for sub in family.__subclasses__():
        found |= members(sub)
    return found


def below(root: type[F]) -> Iterator[type[F]]:
    """All classes that inherit from one."""
    for sub in root.__subclasses__():
        yield sub
        yield from below(sub)


def labels(cls: type) -> set[str]:
    """What a class is known by: its name, and the one that it declares."""
    return {cls.__name__, name_of_class(cls)}


def known_labels(root: type[object]) -> set[str]:
    """The labels of all classes that inherit from one and can be made."""
    return {label for cls in below(root) if not isabstract(cls) for label in labels(cls)}


def clashes(root: type[object]) -> dict[str, tuple[type, type]]:
    """ "Sampler Midpoint" -> two classes of different modules that a family below `root` knows by the same name."""
    found: dict[str, tuple[type, type]] = {}
    for family in filter(isabstract, below(root)):
        first: dict[str, type] = {}
        for cls in below(family):
            for name in () if isabstract(cls) else labels(cls):
                if first.setdefault(name, cls).__module__ != cls.__module__:
                    found[f"{family.__name__} {name}"] = (first[name], cls)
    return found


def own(family: type[F]) -> dict[str, type[F]]:
    """What a person may type -> class, of the members that are not unclip's."""
    return {name_of_class(cls): cls for cls in members(family).values() if not cls.__module__.startswith("unclip.")}


def own_named(family: type[F], name: str) -> type[F] | None:
    """The member that is not unclip's and has declared this name, or whose class is called so."""
    return next((cls for label, cls in own(family).items() if name in (label, cls.__name__)), None)


def named(family: type[F], table: Mapping[str, F], name: str) -> F:
    """The member of this name. Raises ValueError with the known names."""
    what, foreign = family.__name__.lower(), own(family)
    check_free(what, foreign, table, name)
    if name in table:
        return table[name]
    cls = members(family).get(name) or own_named(family, name)
    if cls is None:
        raise ValueError(f"{what} = {name!r}: {nearest(name, [*table, *foreign])}; {PLUGIN}")
    return make_member(cls, f"{what} = {name!r}")


def check_free(what: str, foreign: Mapping[str, type], table: Collection[str], name: str) -> None:
    """Raises ValueError where a member that is not unclip's has declared a name that is in unclip's table."""
    if name in table and name in foreign:
        taker = f"{foreign[name].__module__}.{foreign[name].__name__}"
        raise ValueError(f"{what} = {name!r}: unclip has one of this name, and {taker} declares it; rename yours")


def make_member(cls: type[F], what: str, **settings: object) -> F:
    """A member with these settings. Raises ValueError where it needs more of them. what: was typed, "sampler = 'x'"."""
    try:
        return cls(**settings)
    except TypeError as error:
        raise ValueError(f"{what}: no name stands for its settings ({error}); use it from Python") from error


def name_of(value: F, family: type[F], table: Mapping[str, F]) -> str | None:
    """The name that `named` gives this member for, if one does."""
    found = next((name for name, known in table.items() if known == value), None)
    if found is not None:
        return found
    name = name_of_class(type(value))
    try:
        return name if named(family, table, name) == value else None
    except ValueError:
        return None


def name_of_class(cls: type) -> str:
    """What a class is called: as it says of itself, not as a class that it inherits from does."""
    name = vars(cls).get("name")
    return name if isinstance(name, str) and name else cls.__name__

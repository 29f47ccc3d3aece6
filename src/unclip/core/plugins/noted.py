"""The plugins that a run was trained with: noted in its run.toml, files kept beside it, imported again by later use.

    [[plugins]]
    name = "mine.py"             # kept as RUN/plugins/mine.py; or the name of a module
    sha256 = "9f2c..."           # of the file; version = "1.2" of a module's package
    kinds = ["Midpoint"]         # the settings that it brings

A run may come from a stranger. So a plugin of it is imported only where the user has given just that one on this
machine before (`trust`); and it need not be where its kinds are known already, because a script has imported them.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.core.config.base import Config
from unclip.core.config.families import known_labels
from unclip.core.config.tables import is_list, is_table, read_toml
from unclip.core.disk.atomic import write_atomic
from unclip.core.plugins.errors import NotGiven
from unclip.core.plugins.given import (
    Plugin,
    check_clashes,
    import_code,
    import_installed,
    import_plugin,
    place_of,
    plugins,
)
from unclip.core.plugins.trust import is_trusted, trust_file
from unclip.core.shown import printable

NOTE = "plugins"
"""The name of the note in run.toml, and of the folder beside it."""


@dataclass(frozen=True)
class PluginNote(Config):
    """A plugin as a run notes it. name: of the file or the module; sha256: of a file; version: of a module's package;
    kinds: the settings that it brings."""

    name: str
    sha256: str | None = None
    version: str | None = None
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = self.name.removesuffix(".py") if self.sha256 else self.name.replace(".", "_")
        if not parts or not all(letter.isalnum() or letter in "_-. " for letter in parts) or parts.startswith("."):
            raise ValueError(
                f"name = {printable(self.name, 80)!r}: is neither the name of a file (*.py) nor of a module"
            )

    @property
    def is_there(self) -> bool:
        """Whether this process has what it brings."""
        known = known_labels(Config)
        if self.kinds:
            return all(kind in known for kind in self.kinds)
        return any(p.name == self.name and (p.asked or p.sha256 == self.sha256) for p in plugins().values())


def provide(settings: Path) -> None:
    """Imports the plugins that a run.toml notes, as far as they are not here and the user has given them before.

    Raises NotGiven (a ValueError) that names the plugin which was never given, has changed or is gone, and how to give
    it; ValueError where the file is damaged, or where two plugins bring the same.
    """
    import_installed()
    for note in read_notes(settings):
        _check_version(note, settings)
        if not note.is_there:
            _import(note, settings)
    check_clashes()


def read_notes(settings: Path) -> list[PluginNote]:
    """The note of a run.toml; empty where there is none. Raises ValueError that names the file where it is damaged."""
    if not settings.exists():
        return []
    listed = read_toml(settings, "a settings file").get(NOTE, [])
    if not is_list(listed):
        raise ValueError(f"{settings}: {NOTE}: expected a list of tables")
    return [PluginNote.from_dict(note, f"{settings}: {NOTE}[{i}]") for i, note in enumerate(listed)]


def keep(settings: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a run.toml beside its settings, which are `table`; the plugins' files are written beside it.

    All that the user named are kept, of others those that the settings take something of. Those that the run has stay,
    but for one of a name that was given again. Raises ValueError where two files of one name were given.
    """
    check_clashes()
    notes, files = {note.name: note for note in read_notes(settings)}, dict[str, Plugin]()
    used = set(_kinds(table))
    for plugin in plugins().values():
        if not (plugin.asked or used.intersection(plugin.kinds)):
            continue
        if files.setdefault(plugin.name, plugin) != plugin:
            raise ValueError(f"two plugins are called {plugin.name}, and a run keeps both; rename one of them")
        notes[plugin.name] = PluginNote(plugin.name, plugin.sha256, _version(plugin), plugin.kinds)
        if plugin.is_file:
            write_atomic(settings.parent / NOTE / plugin.name, plugin.code)
    return {NOTE: [note.to_dict() for note in notes.values()]} if notes else {}


def _kinds(value: object) -> Iterator[str]:
    """All that settings call a `kind`."""
    if is_table(value):
        if isinstance(kind := value.get("kind"), str):
            yield kind
        value = list(value.values())
    if is_list(value):
        for part in value:
            yield from _kinds(part)


def _check_version(note: PluginNote, settings: Path) -> None:
    """Raises ValueError where the run of another version of a plugin has been read in this process."""
    for plugin in plugins().values():
        if not plugin.asked and plugin.name == note.name and plugin.sha256 != note.sha256:
            raise ValueError(
                f"{settings}: needs the plugin {note.name}, and this process has another version of it, which another "
                "run brought; read this run in a process of its own"
            )


def _import(note: PluginNote, settings: Path) -> None:
    needs = f"{settings}: needs the plugin {note.name}"
    if other := next((p.given for p in plugins().values() if p.name == note.name and p.asked), None):
        known = known_labels(Config)
        lacking = ", ".join(printable(kind, 60) for kind in note.kinds if kind not in known)
        raise ValueError(
            f"{needs}, and the one that was given ({printable(other)}) brings no {lacking or 'such content'}"
        )
    if note.sha256:
        _import_file(note, settings, needs)
    else:
        _import_module(note, needs)


def _import_file(note: PluginNote, settings: Path, needs: str) -> None:
    path = settings.parent / NOTE / note.name
    if not path.is_file():
        raise NotGiven(f"{needs}, and {path} is gone; give the file that you have", note.name)
    code = path.read_bytes()
    found = hashlib.sha256(code).hexdigest()
    if found != note.sha256:
        raise NotGiven(
            f"{needs}, and {path} has changed since the run was trained (SHA-256 {found[:12]}..., it was "
            f"{(note.sha256 or '')[:12]}...); put the old file back, or look at this one and give it",
            str(path),
        )
    if not is_trusted(note.name, found):
        raise NotGiven(f"{needs} ({path}), {_never_given()}", str(path))
    import_code(path, code, str(path), f"{settings}: the plugin", asked=False)


def _import_module(note: PluginNote, needs: str) -> None:
    version = f" {note.version}" if note.version else ""
    if not (place := place_of(note.name)):
        raise NotGiven(f"{needs}{version}, a module that is not here; install its package and give it", note.name)
    if not is_trusted(note.name, place):
        raise NotGiven(f"{needs}{version} ({place}), {_never_given()}", note.name)
    import_plugin(note.name, f"{needs}:", asked=False)


def _never_given() -> str:
    return (
        f"which you have not given on this machine before ({trust_file() or 'you have no home folder'} lists what you "
        "have), and unclip runs no code because a run names it; look at it first, then give it"
    )


def _version(plugin: Plugin) -> str | None:
    """Of the package that a module belongs to; None where there is none."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    if plugin.is_file:
        return None
    top = plugin.name.partition(".")[0]
    for name in packages_distributions().get(top, ()):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    found = getattr(sys.modules.get(top), "__version__", None)
    return found if isinstance(found, str) else None

"""Plugins that the user of this process gives: a Python file, or a module that can be imported.

    unclip generate "a cup" --run RUN --plugin mine.py --sampler Midpoint
    UNCLIP_PLUGINS=mine.py:my_package.nets unclip train ...
    [project.entry-points."unclip.plugins"] of an installed package

A file is read once: what is hashed is what runs, and what a run keeps.
"""

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from unclip.core.config.base import Config
from unclip.core.config.families import below, clashes, labels
from unclip.core.plugins.errors import Missing, own_errors
from unclip.core.shown import printable

GROUP = "unclip.plugins"
"""Entry points of installed packages that name a plugin's module."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that this process has imported.

    given: as the user wrote it; name: the file's name, or the module's; module: its key in `sys.modules`; code: what
    the file held, b"" for a module; asked: whether the user named it, and no run or installed package had it imported.
    """

    given: str
    name: str
    module: str
    code: bytes = field(default=b"", repr=False)
    asked: bool = True

    @property
    def is_file(self) -> bool:
        """Whether it is a file of its own, and no module of a package."""
        return self.name.endswith(".py")

    @property
    def sha256(self) -> str | None:
        """Of the file; None for a module."""
        return hashlib.sha256(self.code).hexdigest() if self.is_file else None

    @property
    def place(self) -> str:
        """Where the package of a module lies; "" for a file."""
        return "" if self.is_file else place_of(self.name)

    def brings(self, cls: type) -> bool:
        """Whether a class is defined in it."""
        return f"{cls.__module__}.".startswith(f"{self.module}.")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the settings that it brings."""
        return tuple(sorted({label for cls in below(Config) if self.brings(cls) for label in labels(cls)}))


_IMPORTED: dict[str, Plugin] = {}
"""Name of a module -> the plugin that it is."""
_SEARCHED: list[str] = []
"""The group of entry points, once its plugins are imported."""


def plugins() -> Mapping[str, Plugin]:
    """All plugins of this process, by the name of their module."""
    return _IMPORTED


def plugin_files() -> set[str]:
    """The files of the modules that the plugins of this process are."""
    return {file for name in _IMPORTED if (file := getattr(sys.modules.get(name), "__file__", None))}


@contextmanager
def one_command() -> Generator[None, None, None]:
    """Inside, the user names plugins for one command; after it they are known, but nobody has asked for them."""
    try:
        yield
    finally:
        _IMPORTED.update({name: replace(plugin, asked=False) for name, plugin in _IMPORTED.items()})


def import_installed() -> None:
    """Imports what installed packages bring, once. Raises as `import_plugin` does, and names the package."""
    if GROUP not in _SEARCHED:
        from importlib.metadata import entry_points  # takes a part of the time of --help, which needs none

        for point in entry_points(group=GROUP):
            package = "a package" if point.dist is None else point.dist.name
            import_plugin(point.module, f"{package}, which is installed here, brings the plugin", asked=False)
        _SEARCHED.append(GROUP)


def import_plugin(given: str, origin: str = "--plugin", asked: bool = True) -> Plugin:
    """Imports a file or a module, unless it is imported already.

    origin: who named it, for messages; asked: as of `Plugin`.
    Raises ValueError where there is none, with the plugin's own error and its line where it does not import, and with
    both places where it brings a class of a name that is taken.
    """
    where = f"{origin} {printable(given)}"
    if given.endswith(".py") or os.sep in given or "/" in given:
        path = Path(given).expanduser()
        _check_file(path, where)
        plugin = import_code(path, path.read_bytes(), given, where, asked)
    else:
        plugin = _from_module(given, where, asked)
    try:
        check_clashes()
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return plugin


def check_clashes() -> None:
    """Raises ValueError for two classes of one name in one family, of which a plugin brings at least one."""
    for what, classes in clashes(Config).items():
        if any(plugin.brings(cls) for plugin in _IMPORTED.values() for cls in classes):
            first, second = (_place(cls) for cls in classes)
            raise ValueError(f"there are two of the name {what}: {first} and {second}; rename one of them")


def import_code(path: Path, code: bytes, given: str, where: str, asked: bool = True) -> Plugin:
    """A plugin from what its file held. Raises ValueError with the plugin's own error where it does not import."""
    sha256 = hashlib.sha256(code).hexdigest()
    there = _loaded(path, sha256)
    plugin = Plugin(given, path.name, there or _module_name(path, sha256), code, asked)
    if there is None:
        _run(path, code, plugin.module, where)
    return _known(plugin)


def place_of(module: str) -> str:
    """Where the package of a module lies, found without running any of its code; "" where there is none."""
    spec = find_spec(module.partition(".")[0])
    return "" if spec is None else str(spec.origin or list(spec.submodule_search_locations or ()))


def _check_file(path: Path, where: str) -> None:
    if path.is_dir():
        raise ValueError(f"{where}: is a folder; name a file in it, or a package by its name, as my_package.nets")
    if not path.is_file():
        raise ValueError(f"{where}: there is no such file")
    if path.suffix != ".py":
        raise ValueError(f"{where}: is not a Python file (*.py)")


def _module_name(path: Path, sha256: str) -> str:
    return f"unclip_plugin_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}_{sha256[:8]}"


def _run(path: Path, code: bytes, name: str, where: str) -> None:
    module = ModuleType(name)
    module.__file__ = str(path.resolve())
    sys.modules[name] = module  # before its code runs: dataclasses look for their own module
    try:
        with own_errors(where):
            exec(compile(code, module.__file__, "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise


def _loaded(path: Path, sha256: str) -> str | None:
    """The module that this code is already: a plugin, or what a script is or has imported."""
    if (name := _module_name(path, sha256)) in sys.modules:
        return name
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name not in _IMPORTED and file is not None and Path(file).name == path.name and _is(Path(file), sha256):
            return name
    return None


def _is(file: Path, sha256: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256


def _from_module(given: str, where: str, asked: bool) -> Plugin:
    if not all(part.isidentifier() for part in given.split(".")):
        raise ValueError(f"{where}: is neither a file (*.py) nor the name of a module")
    try:
        with own_errors(where):
            importlib.import_module(given)
    except Missing as error:
        if not f"{given}.".startswith(f"{error.module}."):
            raise
        near = Path(f"{given}.py")
        hint = f"did you mean {near}?" if near.is_file() else "name a file (*.py), or install the package"
        raise ValueError(f"{where}: there is no module of this name; {hint}") from error
    return _known(Plugin(given, given, given, asked=asked))


def _known(plugin: Plugin) -> Plugin:
    if plugin.asked or plugin.module not in _IMPORTED:
        _IMPORTED[plugin.module] = plugin
    return _IMPORTED[plugin.module]


def _place(cls: type) -> str:
    """Where a class is defined, as its user would look for it."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return printable(f"{cls.__qualname__} in {file or cls.__module__}")

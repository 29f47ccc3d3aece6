"""Parts of unclip as one file of Python that needs torch alone: what classes and functions are made of, as source.

Comments and types are left out, docstrings stay. Of settings only the fields stay: their checks were done here.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

STUBS = {
    "Config": 'class Config:\n    """Base of settings."""',
    "Diffusion": "",
    "processes": 'class processes:\n    """This one alone."""\n\n    rows = staticmethod(lambda own: None)\n'
    "    gathered = staticmethod(lambda own: own)",
}
"""What stands in the place of definitions that would bring in what nothing here needs; "": what is written behind all
of them (`folder.DIFFUSION`)."""
Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class Bundle:
    """Gathers definitions, each after those that it needs.

    only: of classes by name, the methods that are taken; of others all.
    """

    def __init__(self, only: Mapping[str, Collection[str]] = MappingProxyType({})) -> None:
        self._only = only
        self._imports: dict[str, None] = {}
        self._pieces: list[str] = []
        self._from: dict[str, str] = {}

    def add(self, kind: type[Any] | Callable[..., Any]) -> None:
        """Adds a class or a function with all that it needs.

        Raises ValueError for one that is not unclip's, and where two that are needed have one name.
        """
        self._visit(kind.__module__, kind.__name__)

    def settings(self, value: object) -> str:
        """Python that makes these settings, whose classes are added. Raises ValueError as `add` does."""
        for part in _settings_in(value):
            self.add(type(part))
        return repr(value)

    def source(self) -> str:
        """All that was added."""
        return "\n".join(self._imports) + "\n\n\n" + "\n\n\n".join(self._pieces) + "\n"

    def _visit(self, module: str, name: str) -> None:
        if not module.startswith("unclip."):
            raise ValueError(f"{module}.{name}: is of a plugin, whose code is not unclip's to hand on")
        if name in STUBS:
            if name not in self._from:
                self._from[name] = ""
                self._pieces += filter(None, [STUBS[name]])
            return
        found = _tops(module)[name]
        imported = isinstance(found, ast.Import | ast.ImportFrom)
        if isinstance(found, ast.ImportFrom) and (found.module or "").startswith("unclip"):
            self._visit(str(found.module), name)
            return
        where = ast.unparse(found) if imported else module
        if (known := self._from.setdefault(name, "")) == where:
            return
        if known:
            raise ValueError(f"{name}: stands in {known} and in {where}, and one file cannot hold both")
        self._from[name] = where
        if imported:
            self._imports.setdefault(where)
            return
        plain = _Untyped().visit(ast.parse(ast.unparse(found)).body[0])
        if name in self._only:
            left = (part for part in plain.body if not isinstance(part, ast.FunctionDef))
            plain.body = [*left, *(part for part in plain.body if getattr(part, "name", None) in self._only[name])]
        for needed in _names(plain):
            if needed in _tops(module) and needed != name:
                self._visit(module, needed)
        piece = ast.unparse(ast.fix_missing_locations(plain))
        if piece not in self._pieces:  # one statement may give several names
            self._pieces.append(piece)


def _settings_in(value: object) -> Iterator[object]:
    if hasattr(value, "__dataclass_fields__"):
        yield value
        for part in vars(value).values():
            yield from _settings_in(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _settings_in(part)


def _names(node: ast.AST) -> Iterator[str]:
    """The names that a definition reads, in order."""
    return (part.id for part in ast.walk(node) if isinstance(part, ast.Name))


@cache
def _tops(module: str) -> dict[str, Definition | ast.Import | ast.ImportFrom]:
    """Name -> what gives it at the top of a module."""
    found: ModuleType = importlib.import_module(module)
    named: dict[str, Any] = {}
    for node in _flat(ast.parse(inspect.getsource(found)).body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                alone = ast.ImportFrom(node.module, [alias], node.level) if isinstance(node, ast.ImportFrom) else None
                named[alias.asname or alias.name] = alone or ast.Import([alias])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            named[node.name] = node
        elif isinstance(node, ast.Assign):
            named |= {
                part.id: node for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)
            }
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            named[node.target.id] = node
    return named


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under `if TYPE_CHECKING` among them."""
    for node in body:
        if isinstance(node, ast.If):
            yield from _flat(node.body)
        else:
            yield node


class _Untyped(ast.NodeTransformer):
    """Without types, but for the fields of a dataclass, which would be none without one."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without the types of its arguments and its result."""
        node.returns = None
        for arg in ast.walk(node.args):
            if isinstance(arg, ast.arg):
                arg.annotation = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """A field keeps its name and its default; a mere declaration of a type (self.x: Tensor) says nothing."""
        if isinstance(node.target, ast.Attribute):
            return None if node.value is None else ast.Assign([node.target], node.value)
        kept = ast.Name("ClassVar") if "ClassVar" in ast.unparse(node.annotation) else ast.Name("object")
        return self.generic_visit(ast.AnnAssign(node.target, kept, node.value, node.simple))

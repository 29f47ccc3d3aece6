"""What a room exports, and where it is defined: read from the source alone, nothing is imported."""

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
SHARED = ("unclip.core.typing", "unclip.core.task", "unclip.core.config.base", "unclip.core.config.ranges")
"""Modules that are no room, but whose names stand in signatures."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """module: where it is defined. node: the class, function or assignment. doc: its docstring, or ""."""

    name: str
    module: str
    node: ast.stmt
    doc: str


@cache
def parsed(module: str) -> ast.Module:
    """The syntax of a module. Raises FileNotFoundError where there is none."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def statements(module: str) -> Iterator[tuple[ast.stmt, str]]:
    """Each statement of a module with the string that follows it, those below `if TYPE_CHECKING` and `else` too."""
    body = parsed(module).body
    for block in (body, *(part for node in body if isinstance(node, ast.If) for part in (node.body, node.orelse))):
        for node, after in itertools.zip_longest(block, block[1:]):
            string = after.value if isinstance(after, ast.Expr) else None
            text = string.value if isinstance(string, ast.Constant) else ""
            yield node, text if isinstance(text, str) else ""


def assigned(node: ast.stmt) -> str:
    """The name that a statement gives a value; "" for all others."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def lazy_names(node: ast.stmt) -> list[str]:
    """The names in `__all__, __getattr__, __dir__ = lazy(__name__, {"module": "names of it"})`; [] of all others."""
    value = node.value if isinstance(node, ast.Assign) else None
    if not isinstance(value, ast.Call) or ast.unparse(value.func) != "lazy":
        return []
    return [name for names in ast.literal_eval(value.args[1]).values() for name in names.split()]


def exported(module: str) -> list[str]:
    """The public names of a room in its own order: `__all__`, or those of `lazy`; of a shared module its types."""
    lists = {assigned(node): getattr(node, "value", None) for node, _ in statements(module)}
    if module in SHARED:
        found = [definition.name for definition in defined(module)]
        return [name for name in found if name[0].isupper() and not name.isupper()]
    if lazily := [name for node, _ in statements(module) for name in lazy_names(node)]:
        return lazily
    names = lists.get("__all__")
    found = [ast.literal_eval(name) for name in names.elts] if isinstance(names, ast.List | ast.Tuple) else []
    return [name for name in found if name != "__version__"]


def defined(module: str) -> Iterator[Definition]:
    """What a module defines itself."""
    for node, after in statements(module):
        if isinstance(node, ast.ClassDef | Function):
            yield Definition(node.name, module, node, ast.get_docstring(node) or "")
        elif (name := assigned(node)) and name != "__all__":
            yield Definition(name, module, node, after)


def find(module: str, name: str) -> Definition | None:
    """Where a name comes from, however often it is handed on; None: from outside.

    Of an overloaded function the last definition, which has the docstring.
    """
    for node, _ in statements(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unclip"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find(str(node.module), alias.name)
    found = [definition for definition in defined(module) if definition.name == name]
    return found[-1] if found else None


def path_of(module: str) -> Path:
    """The file of a module or of a package."""
    path = SOURCE / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def rooms() -> list[str]:
    """Every package that exports something, outer ones first, then the shared modules."""
    packages = [".".join(p.parent.relative_to(SOURCE).parts) for p in (SOURCE / "unclip").rglob("__init__.py")]
    return [*sorted((p for p in packages if exported(p)), key=lambda p: (p.count("."), p)), *SHARED]


def bases(definition: Definition) -> list[Definition]:
    """The classes of ours that a class is derived from, nearest first."""
    assert isinstance(definition.node, ast.ClassDef)
    names = [ast.unparse(base).partition("[")[0] for base in definition.node.bases]
    own = [found for name in names if (found := find(definition.module, name)) and isinstance(found.node, ast.ClassDef)]
    return [base for direct in own for base in (direct, *bases(direct))]

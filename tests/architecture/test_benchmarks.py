"""What the scripts of benchmarks/ import from the package is there: they are run by hand, and not type-checked."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.pages import ROOT

SCRIPTS = sorted((ROOT / "benchmarks").rglob("*.py"))


def taken(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of each import from the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "unclip" and not node.level:
            assert node.module is not None
            yield from ((node.module, alias.name) for alias in node.names)


def there(module: str, name: str) -> bool:
    """Whether the module has the name, or is a folder with a module of it."""
    try:
        return hasattr(importlib.import_module(module), name) or bool(importlib.import_module(f"{module}.{name}"))
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_benchmark_imports_is_there(path: Path) -> None:
    assert not [f"{module}.{name}" for module, name in taken(path) if not there(module, name)]

"""What a user imports, from `unclip` and its five rooms: cheap, whole, and all that the examples and the pages need."""

import ast
import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.pages import PAGES, ROOT, UNITS, blocks

import unclip

ROOMS = ("unclip", *(f"unclip.{room}" for room in ("clip", "data", "diffusion", "judges", "nn", "training")))
PUBLIC = (*ROOMS, "unclip.recipes", "unclip.course")
"""`recipes` is not lazy: importing it makes its stages known."""
SCRIPTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (ROOT / "examples").glob("*.py")}
CODE = (
    SCRIPTS
    | {path.name: path.read_text("utf-8") for path in UNITS.glob("*.py")}
    | {f"{page}, block {i}": code for page in PAGES for i, code in enumerate(blocks(page, "python"))}
)


def parts(room: str) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Name -> module, as an editor reads it (TYPE_CHECKING) and as Python does (`lazy`); and the rooms below it.

    Raises AssertionError where the two have different rooms.
    """
    path = importlib.import_module(room).__file__
    assert path is not None
    [branch] = [node for node in ast.parse(Path(path).read_text("utf-8")).body if isinstance(node, ast.If)]
    typed = {a.name: str(n.module) for n in branch.body if isinstance(n, ast.ImportFrom) for a in n.names}
    [call] = [node for node in ast.walk(branch) if isinstance(node, ast.Call)]
    homes, *below = map(ast.literal_eval, call.args[1:])
    below = {name for names in below for name in names.split()}
    assert below == {name for name, module in typed.items() if module == room}
    lazy = {name: module for module, names in homes.items() for name in names.split()}
    return {name: module for name, module in typed.items() if name not in below}, lazy, below


@pytest.mark.parametrize("room", ROOMS)
def test_python_and_an_editor_find_the_same_names(room: str):
    """From the same modules; and none is a module below the room as well, which an import would put in its place."""
    module, (typed, lazy, below) = importlib.import_module(room), parts(room)
    assert typed == lazy
    assert list(lazy) == module.__all__
    assert {*lazy, *below} <= set(dir(module))
    assert all(importlib.import_module(f"{room}.{name}") is getattr(module, name) for name in below)
    for name, home in lazy.items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
        assert importlib.util.find_spec(f"{room}.{name}") is None, f"{room}.{name} is a module, too"


@pytest.mark.parametrize("room", ROOMS)
def test_an_unknown_name_is_refused(room: str):
    with pytest.raises(AttributeError, match=f"module '{room}' has no attribute 'lode'"):
        _ = importlib.import_module(room).lode


def test_rooms_are_there_without_an_import_of_their_own():
    code = f"import unclip; print({', '.join(ROOMS)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.count("<module 'unclip") == len(ROOMS), done.stderr


def test_importing_the_rooms_imports_no_torch():
    """But for `recipes`, which makes its stages known to whoever imports any of it."""
    rooms = [m.name for m in pkgutil.iter_modules(unclip.__path__, "unclip.") if m.ispkg]
    names = [name for name in rooms if name != "unclip.recipes"]
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def imported(code: str) -> Iterator[str]:
    """The modules of ours that a script imports, or imports from."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "unclip")
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "unclip":
            yield str(node.module)


def test_examples_and_pages_import_public_names_only():
    """A deep path is a promise that no module ever moves: give the name to its room's `__init__` instead."""
    found = [f"{place}: {module}" for place, code in CODE.items() for module in imported(code) if module not in PUBLIC]
    assert len(SCRIPTS) > 5 and len(CODE) > 30
    assert not found, "\n".join(found)

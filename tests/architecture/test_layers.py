"""The rooms import only downward (the contract stands in pyproject.toml), in no circle, and none grows too large."""

import graphlib
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.pages import UNITS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unclip"
FILES, LINES = 15, 1500
"""What a folder holds at the most, and a folder without folders in it."""


def test_rooms_import_only_downward():
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout, done.stdout


def test_no_circle_of_imports():
    """Also none that hides in a function or behind TYPE_CHECKING; the lazy names of `unclip` itself are no import."""
    import grimp

    graph = grimp.build_graph("unclip", cache_dir=None)
    imports = {m: graph.find_modules_directly_imported_by(m) - {"unclip"} for m in graph.modules - {"unclip"}}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" <- ".join(error.args[1])) from error


def test_rooms_are_small():
    found = []
    for folder in (PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__")):
        files = list(folder.glob("*.py"))
        lines = sum(path.read_text(encoding="utf-8").count("\n") for path in files)
        deep = any(path.is_dir() and path.name != "__pycache__" for path in folder.iterdir())
        if len(files) > FILES or (lines > LINES and not deep and folder != UNITS):
            found.append(f"{folder.relative_to(ROOT)}: {len(files)} files, {lines:,} lines")
    assert not found, "\n".join(found)


def test_the_page_of_the_architecture_names_what_is_there():
    """docs/architecture.md: each place of its table of types is a module or a room, and it names every room."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    types = page[page.index("## Central types") : page.index("## A run")]
    rows = re.findall(r"^\| `[^|]+\| ([a-z_/, ]+) \|", types, re.MULTILINE)
    places = [place for row in rows for place in row.split(", ")]
    gone = [p for p in places if not ((PACKAGE / p).is_dir() or (PACKAGE / f"{p}.py").is_file())]
    assert len(places) > 20 and not gone, gone
    rooms = page[page.index("## Rooms and layers") : page.index("## Central types")]
    folders = {path.parent.name for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE}
    unnamed = [name for name in sorted(folders) if not re.search(rf"\b{name}\b", rooms)]
    assert not unnamed, f"docs/architecture.md does not name {unnamed}"

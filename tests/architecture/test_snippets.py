"""The Python that the pages print: pyright finds no error in it, so an editor completes it; and it runs."""

import ast
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from tests.architecture.pages import PAGES, ROOT, blocks, files
from tests.architecture.test_public_names import ROOMS
from tests.short import short

from unclip.cli.main import app
from unclip.recipes.settings.run import write_settings

HERE = Path(__file__).parent
OF_A_RUN = ("docs/evaluate.md", "README.md", "docs/clip.md", "docs/terminal.md", "docs/tutorial.md")
"""Pages whose Python loads a text-to-image run and is through in seconds."""
TYPED_ONLY = tuple(
    f"docs/{name}.md"
    for name in (
        *("box", "dalle2", "ddpm", "distill", "families", "finetune", "inpainting", "judges", "latent"),
        *("manipulate", "priors", "upsamplers"),
    )
)
"""Pages whose Python takes many steps, a run of another kind or a file: the tests of these functions run them."""
FILES = "docs/extending.md"
"""Its Python is whole files, which test_extending.py runs."""
SMALLER = {"(128, 3, 32, 32)": "(2, 3, 8, 8)", "rounds=12, fine=100": "rounds=1, fine=20"}
"""Sizes that take minutes, and what is run in their place."""


class Snippet(NamedTuple):
    """page, number: where it stands; code: with an import of what it takes as given (given.py)."""

    page: str
    number: int
    code: str

    @property
    def name(self) -> str:
        return f"{Path(self.page).stem.lower()}_{self.number}"


def whole(code: str) -> str:
    """A block and, in front of it, the import of what it uses and nobody has given it."""
    names = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    given = sorted(name for name in {node.id for node in names} - stored if name in known())
    return f"from given import {', '.join(given)}\n{code}" if given else code


def known() -> set[str]:
    """The names that given.py brings."""
    tree = ast.parse((HERE / "given.py").read_text(encoding="utf-8"))
    stored = {
        n.id for node in tree.body for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return {name for name in stored | {"feed"} if name.islower()}


SNIPPETS = [Snippet(page, i, whole(code)) for page in PAGES for i, code in enumerate(blocks(page, "python"))]
ALONE = [
    snippet
    for snippet in SNIPPETS
    if snippet.page not in (*OF_A_RUN, *TYPED_ONLY, FILES)
    and "unclip.train(" not in snippet.code  # see recipes/test_api.py
]


def scripts() -> dict[str, str]:
    """File name -> what a user writes: the blocks of the pages, the examples, an import of every public name."""
    found = {f"{snippet.name}.py": snippet.code for snippet in SNIPPETS}
    found |= {name: code for page in PAGES for name, code in files(page).items()}  # which import each other
    found |= {f"example_{path.name}": path.read_text("utf-8") for path in (ROOT / "examples").glob("*.py")}
    for room in ROOMS:
        names = ", ".join(importlib.import_module(room).__all__)
        found[f"names_of_{room.replace('.', '_')}.py"] = f"from {room} import {names}\nprint({names})"
    return found


def test_python_is_typed(tmp_path: Path) -> None:
    """No error in what a user writes, and one for each misspelled name: no name is allowed by a `__getattr__`."""
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed: pip install -c constraints.txt -e '.[test]'")
    for name, code in scripts().items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    misspelled = "".join(f"from {room} import Lode\n" for room in ROOMS) + "import unclip\nunclip.lode\n"
    (tmp_path / "misspelled.py").write_text(misspelled, encoding="utf-8")
    settings = {
        "extraPaths": [str(ROOT / "src"), str(HERE)],
        "typeCheckingMode": "standard",
        "reportUnusedExpression": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson", "-p", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    found = [(Path(each["file"]).name, each["message"]) for each in json.loads(done.stdout)["generalDiagnostics"]]
    right = [(name, message) for name, message in found if name != "misspelled.py"]
    assert not right, "\n".join(map(": ".join, right))
    assert len(found) == len(ROOMS) + 1, found
    assert found[0][1] == '"Lode" is unknown import symbol'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, where `given` can be imported and no window opens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setattr(Image.Image, "show", lambda self: None)
    return tmp_path


def run(snippet: Snippet) -> None:
    """Runs it as a script of its own."""
    code = snippet.code
    for size, smaller in SMALLER.items():
        code = code.replace(size, smaller)
    exec(compile(code, snippet.name, "exec"), {})


@pytest.mark.parametrize("snippet", ALONE, ids=lambda snippet: snippet.name)
def test_python_runs(snippet: Snippet, place: Path) -> None:
    run(snippet)


def unclip(*words: str) -> None:
    """A command that has to succeed."""
    code: object = 0
    try:
        app(list(words))
    except SystemExit as stop:
        code = stop.code
    assert not code, words


@pytest.mark.slow
def test_python_of_a_run_runs(place: Path) -> None:
    unclip("shapes", "pictures", "-n", "64")
    write_settings(Path("short.toml"), short(1))
    unclip("train", "pictures", "--out", "runs/mine", "--config", "short.toml", "--force")
    (place / "runs" / "demo").symlink_to("mine")
    for name in ("cat.png", "dog.png", "heart.png"):
        Image.effect_noise((32, 32), 40 + len(name)).convert("RGB").save(name)
    mask = Image.new("L", (32, 32))
    mask.paste(255, (16, 0, 32, 32))
    mask.save("mask.png")
    for snippet in SNIPPETS:
        if snippet.page in OF_A_RUN:
            run(snippet)

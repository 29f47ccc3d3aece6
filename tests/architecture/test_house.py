"""The rules of the house that a machine can check."""

import ast
import importlib
import importlib.util
import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from tests.architecture.pages import UNITS

from unclip.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unclip"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != UNITS)
RANDOM = {"rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm", "normal", "bernoulli"}
FORBIDDEN_ANYWHERE = {"torch.load", "torch.save", "np.random.seed", "numpy.random.seed"}
FORBIDDEN_OUTSIDE_NOISE = {f"torch.{name}" for name in RANDOM}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def where(path: Path, node: ast.stmt | ast.expr | ast.keyword) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_ruff():
    done = run(sys.executable, "-m", "ruff", "check", "--quiet", "--output-format", "concise")
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright():
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed: pip install -c constraints.txt -e '.[test]'")
    done = run(sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_and_functions_are_short():
    found = []
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines >= 300:
            found.append(f"{path.relative_to(ROOT)}: {lines} lines, 300 or more")
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                parameters = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
                if size >= 60 or parameters > 10:
                    found.append(f"{where(path, node)}: {node.name} has {size} lines and {parameters} parameters")
    assert not found, "\n".join(found)


def names_used(tree: ast.Module) -> Iterator[tuple[str, ast.stmt | ast.expr]]:
    """Dotted names, as written (`torch.randn`), and what `from x import y` brings in (`x.y`)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node), node
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Top-level names of the packages imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node


def test_every_random_number_comes_from_noise():
    found = [
        f"{where(path, node)}: {name}"
        for path in MODULES
        if path != PACKAGE / "core" / "noise.py"
        for name, node in names_used(parse(path))
        if name in FORBIDDEN_OUTSIDE_NOISE
    ]
    assert not found, "draw from core.noise.Noise instead:\n" + "\n".join(found)


def test_nothing_is_pickled():
    found = []
    for path in MODULES:
        tree = parse(path)
        found += [f"{where(path, node)}: {name}" for name, node in names_used(tree) if name in FORBIDDEN_ANYWHERE]
        found += [f"{where(path, node)}: import {name}" for name, node in imports(tree) if name in PICKLES]
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
                found.append(f"{where(path, node.value)}: allow_pickle={ast.unparse(node.value)}")
    assert not found, "\n".join(found)


def requirement_names(requirements: list[str]) -> set[str]:
    """Import names of requirements: `pillow>=10` -> PIL."""
    others = {"pillow": "PIL", "fonttools": "fontTools"}
    names = {re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower() for requirement in requirements}
    return {others.get(name, name.replace("-", "_")) for name in names}


OF_AN_EXTRA = {"serving": "serve"}
"""Room -> the extra without which it is not imported: its modules need that from their first line on."""


def needed_by(path: Path, optional: dict[str, list[str]]) -> set[str]:
    """What a module may import at its top besides the core: the extra of its room."""
    extra = OF_AN_EXTRA.get(path.relative_to(PACKAGE).parts[0])
    return requirement_names(optional[extra]) if extra else set()


def test_a_room_that_needs_an_extra_is_imported_only_inside_functions():
    found = []
    for path in MODULES:
        tree = parse(path)
        if path.relative_to(PACKAGE).parts[0] in OF_AN_EXTRA:
            continue
        for node in tree.body:
            text = ast.unparse(node) if isinstance(node, ast.Import | ast.ImportFrom) else ""
            found += [where(path, node) for room in OF_AN_EXTRA if f"unclip.{room}" in text]
    assert not found, "\n".join(found)


def test_imports_are_declared():
    """Core dependencies anywhere; those of an extra only inside a function, a `try` or its room; nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    extras = [line for name, lines in optional.items() if name != "test" for line in lines]
    core = requirement_names(project["dependencies"]) | set(sys.stdlib_module_names) | {"unclip"}
    anywhere = core | requirement_names(extras)
    found = []
    for path in MODULES:
        tree = parse(path)
        top = {node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
        for name, node in imports(tree):
            if name not in (core | needed_by(path, optional) if node in top else anywhere):
                found.append(f"{where(path, node)}: import {name}")
    assert not found, "\n".join(found)


def loaded_after(code: str) -> set[str]:
    """The modules in memory after `code` ran in an interpreter of its own."""
    done = run(sys.executable, "-c", f"import sys, json\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_is_cheap():
    assert not {"torch", "numpy", "PIL"} & loaded_after("import unclip; unclip.__version__")


def test_help_does_not_import_torch():
    code = """
from unclip.cli.main import app
try:
    app(["--help"])
except SystemExit as stop:
    assert not stop.code, stop.code
"""
    assert "torch" not in loaded_after(code)


def test_a_step_does_not_import_the_compiler():
    """It takes 1.7 s, which `torch.optim` alone would have it imported for."""
    code = """
import torch
from torch import nn
from unclip.training.optim import OptimConfig, optimizers
net = nn.ModuleList([nn.Linear(4, 4)])
net[0](torch.ones(1, 4)).sum().backward()
chosen = optimizers(net, OptimConfig(muon_lr=0.1))
assert len(chosen) == 2
for optimizer in chosen:
    optimizer.step()
"""
    assert not {"torch._dynamo", "sympy"} & loaded_after(code)


def test_no_paths_of_one_machine():
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = "|".join(re.escape(f"/{folder}/") for folder in ("work", "root", "opt/wheels", "opt/pypi"))
    machine_path = re.compile(rf"(?<![\w.]){'(?:' + paths + ')'}".encode())
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink() and (hit := machine_path.search(path.read_bytes())):
            found.append(f"{name}: {hit.group().decode()}")
    assert not found, "\n".join(found)


def test_pictures_are_opened_and_written_in_one_place():
    """`Image.open` without formats starts Ghostscript for an EPS named a.png; `save` in place leaves half an image."""
    opener, writer = PACKAGE / "data/images/open.py", PACKAGE / "images/files.py"
    others = {"store", "self", "latent", "made", "moved"}  # their own `save`: models, a command's, a latent, ...
    others |= {"parts.tokenizer", "found.words", "found.shards"}
    found = []
    for path in MODULES:
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of, name = ast.unparse(node.func.value), node.func.attr
            if name == "open" and of in {"Image", "PIL.Image", "ImageFile"} and path != opener:
                found.append(f"{where(path, node)}: open it by data.opened")
            if name == "save" and of not in others and path != writer:
                found.append(f"{where(path, node)}: write it by images.files.save_picture")
        found += [
            f"{path}: {name}" for name, _ in names_used(parse(path)) if name in {"PIL.Image.open", "ImageFile.Parser"}
        ]
    assert not found, "\n".join(found)
    [opening] = re.findall(r"Image\.open\(.*", opener.read_text(encoding="utf-8"))
    assert "formats=FORMATS" in opening


def opens_text(node: ast.AST) -> bool:
    """Whether a call opens a file as text: `read_text`, `write_text`, `open` without a "b" in its mode."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    if called.endswith((".read_text", ".write_text")):
        return True
    if called.rpartition(".")[2] != "open" or called in {"tarfile.open", "os.open"}:
        return False
    if called[0].isupper():  # Image.open, Bench.open: a class's own
        return False
    place = 0 if isinstance(node.func, ast.Attribute) else 1
    given = node.args[place:] or [keyword.value for keyword in node.keywords if keyword.arg == "mode"]
    return not given or not (isinstance(given[0], ast.Constant) and "b" in str(given[0].value))


def test_text_files_name_their_encoding():
    """The default encoding is the machine's: a vocabulary that is read as Latin-1 draws wrong images in silence."""
    found = [
        where(path, node)
        for path in MODULES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and opens_text(node) and "encoding" not in {k.arg for k in node.keywords}
    ]
    assert not found, 'add encoding="utf-8":\n' + "\n".join(found)


def test_every_number_of_a_setting_declares_its_range():
    """`batch: Annotated[int, Range(1, 65536)]` (core/config/ranges.py): nan, -8 and 10**12 are refused."""
    for path in MODULES:
        if path.name != "__main__.py":
            parts = path.relative_to(ROOT / "src").with_suffix("").parts
            importlib.import_module(".".join(parts).removesuffix(".__init__"))
    from unclip.core.config.base import Config, hints_of

    def below(cls: type) -> Iterator[type]:
        for member in cls.__subclasses__():
            yield member
            yield from below(member)

    found = [
        f"{cls.__module__}.{cls.__name__}.{name}: {hint}"
        for cls in set(below(Config))
        if cls.__module__.startswith("unclip.") and is_dataclass(cls)
        for name, hint in hints_of(cls).items()
        if lacks_range(hint)
    ]
    assert not found, "declare a Range or Length with Annotated:\n" + "\n".join(sorted(found))


def lacks_range(hint: Any) -> bool:
    """Whether a type holds an int, a float or a list of any length that no range bounds."""
    from unclip.core.config.ranges import unpacked

    plain, ranges = unpacked(hint)
    endless = get_origin(plain) is tuple and get_args(plain)[-1] is Ellipsis and get_args(plain)[0] is not str
    if plain in (int, float) or endless:
        return not ranges or any(lacks_range(part) for part in get_args(plain) if part is not Ellipsis)
    return get_origin(plain) is not Literal and any(lacks_range(part) for part in get_args(plain))


OWN_PRINTERS = {"print", "Console", "Text", "Text.from_markup", "Text.assemble", "Text.styled", "rich.print"}


def prints_by_itself(node: ast.AST) -> str:
    """What of a node is not the one way to print; "" for the rest."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        keywords = {k.arg for k in node.keywords} & {"markup", "emoji", "highlight", "soft_wrap"}
        if name in OWN_PRINTERS or name.endswith("TextColumn") or keywords:
            return f"{name}({', '.join(sorted(keywords))})"
    if isinstance(node, ast.ImportFrom) and node.module in ("rich.markup", "rich"):
        names = [alias.name for alias in node.names if alias.name in ("escape", "print")]
        return f"from {node.module} import {names[0]}" if names else ""
    return ""


def test_one_place_prints():
    """cli/screen/console.py: nothing from outside is markup, an emoji code or a control; no stream can fail."""
    own = {PACKAGE / "cli/screen/console.py", PACKAGE / "cli/screen/waiting.py"}
    found = [
        f"{where(path, node)}: {what}"  # pyright: ignore
        for path in MODULES
        if path not in own
        for node in ast.walk(parse(path))
        if (what := prints_by_itself(node))
    ]
    assert not found, "print by cli/screen/console: stdout().print(words), line(...) for style:\n" + "\n".join(found)


NAMES = "|".join(name for name in app if not name.startswith("-"))
COMMAND = re.compile(rf"\bunclip ({NAMES}) [^`;:,()]*$")
"""The begin of a command, at the end of a piece of text."""


def test_commands_that_are_printed_are_quoted():
    """A folder called `my run` has to survive a copied command: `core.shown.typed("unclip", "info", path)`."""
    found = []
    for path in MODULES:
        for node in ast.walk(parse(path)):
            for before, value in itertools.pairwise(node.values if isinstance(node, ast.JoinedStr) else []):
                text = str(before.value) if isinstance(before, ast.Constant) else ""
                if COMMAND.search(text) and isinstance(value, ast.FormattedValue):
                    found.append(f"{where(path, node)}: {text}{{{ast.unparse(value.value)}}}")  # pyright: ignore
    assert not found, "\n".join(found)

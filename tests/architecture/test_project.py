"""The files around the code: they can be read, and they say the same as pyproject.toml and the tree."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.architecture.pages import ROOT, commands, text_of

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the test tools")
FILES = [*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml", ROOT / "mkdocs.yml", ROOT / "CITATION.cff"]
PLACES = ("", "src/unclip", "src/unclip/diffusion")
"""Where a path in CONTRIBUTING.md may begin."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_is_yaml(path: Path) -> None:
    assert isinstance(read(path), dict)


def test_the_workflow_takes_what_pyproject_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    matrix = read(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert f">={matrix['python'][0]}" == project["requires-python"]
    oldest = next(line for line in project["dependencies"] if line.startswith("torch"))
    [wheel] = [row["wheel"] for row in matrix["include"] if row["torch"] == "oldest"]
    assert wheel.replace("==", ">=").removesuffix(".*") == oldest


def test_the_workflow_runs_what_there_is() -> None:
    jobs = read(ROOT / ".github/workflows/ci.yml")["jobs"].values()
    lines = [line for job in jobs for step in job["steps"] for line in step.get("run", "").splitlines()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in map(shlex.split, lines):
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words
        if words[0].startswith("."):
            assert words[0].startswith(".venv/") or (ROOT / words[0]).exists(), words
        if "-m" in words and "." in (module := words[words.index("-m") + 1]):
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), words


def test_the_hooks_are_installed_by_make() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"][
        "test"
    ]
    tools = {"lint-imports": "import-linter"}
    for repo in read(ROOT / ".pre-commit-config.yaml")["repos"]:
        for hook in repo["hooks"]:
            name = hook["entry"].split()[0]
            assert any(line.startswith(tools.get(name, name)) for line in extra), hook["entry"]


def test_what_contributing_names_is_there() -> None:
    for path in re.findall(r"`([\w./]+/[\w.]*)`", text_of("CONTRIBUTING.md")):
        if not path.endswith("mine.py"):
            assert any((ROOT / place / path).exists() for place in PLACES), f"CONTRIBUTING.md: there is no {path}"
    for words in commands("CONTRIBUTING.md", "pytest"):
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/")), words

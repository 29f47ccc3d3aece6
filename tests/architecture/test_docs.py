"""What the documentation prints: commands that are understood, in an order in which they work; Python that is typed."""

import importlib.util
import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from unclip.cli.arguments.output import slug
from unclip.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    *(f"docs/{n}.md" for n in ("clip", "ddpm", "inpainting", "latent", "library", "manipulate", "priors")),
)
"""Pages whose Python starts from a run."""


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("unclip ")]


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_commands_are_understood(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        if not any(word.isupper() or "..." in word or word.startswith("[") for word in words):
            app.parse_args(words, exit_on_error=False, print_error=False)


def test_every_line_of_the_readme_finds_what_it_needs() -> None:
    """After `make demo`: the demo's run, what an earlier line made, or what lies in the repository."""
    there = {"runs/demo"}
    for words in commands("README.md"):
        command, options = words[0], dict(itertools.pairwise(words))
        for word in words[1:]:
            made = word in (options.get("--out"), words[2] if command == "pack-run" else words[1])
            if ("/" in word or "." in Path(word).suffix) and not re.fullmatch(r"[\d.]+", word) and not made:
                assert word in there or (ROOT / word).exists(), f"{shlex.join(words)}: where does {word} come from?"
        if command in ("info", "vary", "blend", "diff", "edit", "extend"):
            assert words[1] in there, shlex.join(words)
        if command in ("train", "data"):
            assert words[1] in there, shlex.join(words)
        if command == "generate":
            prompts = words[1 : words.index("--run")]
            first, out = int(options.get("--seed", "0")), options.get("--out", "out")
            there |= {f"{out}/{slug(p)}-{first + i}.png" for p in prompts for i in range(int(options.get("-n", "1")))}
        there |= {options["--out"]} if "--out" in options else set()
        there |= {words[1]} if command == "shapes" else set()


def test_python_is_typed(tmp_path: Path) -> None:
    """pyright finds no error in what the pages print, so that an editor completes it."""
    if importlib.util.find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed: pip install -c constraints.txt -e '.[test]'")
    for page in PAGES:
        for i, block in enumerate(blocks(page, "python")):
            head = "import torch\n\nimages = torch.zeros(1, 3, 32, 32)\n" if "images" in block else ""
            (tmp_path / f"{Path(page).stem}{i}.py").write_text(head + block, encoding="utf-8")
    settings = {"extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard", "reportUnusedExpression": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

"""Help is quick because nothing heavy is imported for it."""

import os
import subprocess
import sys

import pytest
from tests.cli.conftest import Call

import unclip

COMMANDS = ("train", "generate", "vary", "blend", "diff", "invert", "probe", "evaluate", "study", "explain", "info")
COMMANDS += (
    "add",
    "edit",
    "extend",
    "upsample",
    "classify",
    "search",
    "compare-priors",
    "data",
    "doctor",
    "pack",
    "shapes",
    "demo",
)
HEAVY = ("torch", "numpy", "PIL", "matplotlib", "safetensors", "tokenizers")


def test_help_names_every_command(call: Call):
    done = call("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert f"│ {command} " in done.out


def test_version(call: Call):
    assert call("--version").out.strip() == unclip.__version__


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_nothing_heavy_is_imported(words: list[str]):
    code = (
        "import sys\nfrom unclip.cli.main import app\n"
        f"try: app({words!r})\nexcept SystemExit as stop: assert not stop.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_takes_half_a_second_at_the_most():
    """Of processor time, on a machine of our days; on a slower one, twice what its imports alone take there."""

    def used() -> float:
        times = os.times()
        return times.children_user + times.children_system

    def once(*words: str) -> float:
        before = used()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        return used() - before

    imports = min(once("-c", "import cyclopts, rich.table") for _ in range(3))
    assert min(once("-m", "unclip", "train", "--help") for _ in range(3)) < max(0.5, 2.5 * imports)


@pytest.mark.parametrize(
    "words", [["train", "data"], ["trian"], ["train", "data", "--out", "x", "--size", "big"], ["explain"]]
)
def test_usage_errors(call: Call, words: list[str]):
    done = call(*words)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1

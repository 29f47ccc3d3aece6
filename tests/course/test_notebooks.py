"""From units to notebooks: as Jupytext makes them, as they are committed; and units as scripts, in the short form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.course.test_whole import WHOLE
from tools.course import path_of

from unclip.course.catalog import Unit, units
from unclip.course.notebook import to_notebook

ROOT = Path(__file__).resolve().parents[2]
SHORT = "0.01"
LARGEST = 300_000


def cells(notebook: dict) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def test_there_are_eight() -> None:
    assert [each.number for each in units()] == list(range(1, 9))
    assert all(each.title and each.about.endswith(".") for each in units())


@pytest.mark.parametrize("each", units(), ids=lambda each: each.stem)
def test_notebooks_are_those_of_jupytext(each: Unit) -> None:
    jupytext = pytest.importorskip("jupytext", reason="it comes with the test tools")
    theirs = jupytext.reads(each.text, fmt="py:percent")
    assert cells(to_notebook(each.text)) == cells(theirs)


@pytest.mark.parametrize("each", units(), ids=lambda each: each.stem)
def test_what_is_committed_was_run_as_the_unit_stands(each: Unit) -> None:
    """Made by `python -m tools.course N`."""
    path = path_of(each)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert cells(notebook) == cells(to_notebook(each.text)), f"{path.name} is older than its unit: make course"
    assert path.stat().st_size < LARGEST
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert all(cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code")


@pytest.mark.slow
@pytest.mark.parametrize("each", [each for each in units() if each.number not in WHOLE], ids=lambda each: each.stem)
def test_the_short_form_runs(each: Unit, tmp_path: Path) -> None:
    env = {**os.environ, "UNCLIP_COURSE_SCALE": SHORT, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, str(each.path)], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "still yours" in done.stdout and list(tmp_path.glob("course-pictures/*.png"))

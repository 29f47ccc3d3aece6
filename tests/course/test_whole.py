"""Two units, run as notebooks in every cell and step."""

from pathlib import Path

import pytest

from unclip.course.catalog import unit
from unclip.course.notebook import to_json, to_notebook

ROOT = Path(__file__).resolve().parents[2]
WHOLE = (3, 4)
"""Those that train least; the others run as scripts, with few steps of training (test_notebooks.py)."""
MINUTES = 10
"""What a unit may take of two cores; here one cell may, on a machine that is shared."""


@pytest.mark.slow
@pytest.mark.parametrize("number", WHOLE)
def test_whole_as_a_notebook(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="it comes with the test tools")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.reads(to_json(to_notebook(unit(number).text)), as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=60 * MINUTES, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert not [out for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "error"]

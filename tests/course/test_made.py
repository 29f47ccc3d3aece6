"""`make course`: which notebooks are made anew, what is kept of them, and how large they are."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tools import course
from tools.course import is_old, lighter, reworded

from unclip.course.catalog import Unit
from unclip.course.notebook import to_json, to_notebook

SCRIPT = "# %% [markdown]\n# # 1. A unit\n#\n# What it is about.\n\n# %%\nprint(1)\n"


def png(picture: Image.Image) -> str:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """A unit whose notebook is there."""
    monkeypatch.setattr(course, "OUT", tmp_path)
    each = Unit(1, "A unit", "What it is about.", tmp_path / "1_a_unit.py")
    each.path.write_text(SCRIPT, encoding="utf-8")
    notebook = to_notebook(SCRIPT)
    notebook["cells"][1].update(execution_count=1, outputs=[{"output_type": "stream", "name": "stdout", "text": "1"}])
    (tmp_path / "1_a_unit.ipynb").write_text(to_json(notebook), encoding="utf-8")
    return each


def rewrite(each: Unit, before: str, after: str) -> None:
    each.path.write_text(SCRIPT.replace(before, after), encoding="utf-8")


def test_what_was_run_is_not_old(ran: Unit) -> None:
    assert not is_old(ran)


def test_new_words_keep_what_the_cells_gave(ran: Unit) -> None:
    rewrite(ran, "What it is", "All that it is")
    assert is_old(ran)
    kept: Any = reworded(ran)
    assert kept["cells"][1]["outputs"][0]["text"] == "1" and kept["cells"][1]["execution_count"] == 1
    assert "All that it is" in "".join(kept["cells"][0]["source"])


def test_new_code_is_run(ran: Unit) -> None:
    rewrite(ran, "print(1)", "print(2)")
    assert is_old(ran) and reworded(ran) is None


def test_a_notebook_that_is_missing_is_run(ran: Unit) -> None:
    course.path_of(ran).unlink()
    assert is_old(ran) and reworded(ran) is None


def test_large_pictures_become_lighter() -> None:
    bands = [Image.effect_noise((128, 128), 90) for _ in "RGB"]
    noise, white = png(Image.merge("RGB", bands)), png(Image.new("RGB", (4, 4), "white"))
    outputs = [{"data": {"image/png": noise}}, {"data": {"image/png": white}}, {"text": "no picture"}]
    notebook = lighter({"cells": [{"outputs": json.loads(json.dumps(outputs))}, {"source": []}]})
    first, second, third = notebook["cells"][0]["outputs"]
    assert len(first["data"]["image/png"]) < len(noise)
    assert second["data"]["image/png"] == white and third == outputs[2]
    with Image.open(io.BytesIO(base64.b64decode(first["data"]["image/png"]))) as picture:
        assert picture.size == (128, 128)

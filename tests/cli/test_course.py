"""`unclip course`: what it lists, what it copies, and what it says where something is missing."""

import importlib.util
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from unclip.course.catalog import units


def test_it_lists_the_units(call: Call) -> None:
    done = call("course")
    assert done.code == 0
    assert all(f"{unit.number}  {unit.title}\n   {unit.about}" in done.out for unit in units())
    assert "copy one: unclip course 1" in done.out


def test_a_unit_is_copied_as_a_notebook(call: Call, tmp_path: Path) -> None:
    done = call("course", "3", "--out", tmp_path / "my course")
    path = tmp_path / "my course" / "3_the_mathematics.ipynb"
    assert done.code == 0 and f"{path}: The mathematics" in done.out
    assert f"jupyter lab '{path}'" in done.out
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4 and not any(cell.get("outputs") for cell in notebook["cells"])
    again = call("course", "3", "--out", tmp_path / "my course")
    assert again.code == 2 and "is there already, perhaps with your answers" in again.err
    assert json.loads(path.read_text(encoding="utf-8")) == notebook


def test_a_unit_is_copied_as_a_script(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("course", "1", "--script")
    assert "run it: python my-course/1_what_a_diffusion_model_is.py" in done.out
    assert (tmp_path / "my-course/1_what_a_diffusion_model_is.py").read_text(encoding="utf-8") == units()[0].text


@pytest.mark.parametrize(
    "words, told", [(["9"], "there are 1, 2, 3, 4, 5, 6, 7, 8"), (["one"], "not a whole number"), (["-1"], "")]
)
def test_a_unit_that_is_not_there(call: Call, tmp_path: Path, words: list[str], told: str) -> None:
    done = call("course", *words, "--out", tmp_path)
    assert done.code != 0 and told in done.err
    assert not list(tmp_path.iterdir())


def test_a_kernel_that_is_missing_is_told(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    absent = ("ipykernel", "jupyterlab")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find(name))
    done = call("course", "1", "--out", tmp_path)
    assert done.code == 0 and "first: it needs ipykernel: " in done.out and "-m pip install ipykernel" in done.out
    assert "to open it in a browser you need jupyterlab: " in done.out
    assert "ipykernel" not in call("course", "1", "--out", tmp_path, "--script").out

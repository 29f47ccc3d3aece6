"""The course on the site: what a notebook holds stands on its page, and formulas become MathML."""

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from tests.architecture.pages import ROOT
from tools.notebooks import page, pages

markdown = pytest.importorskip("markdown", reason="it comes with the test tools")
formulas = pytest.importorskip("tools.formulas", reason="latex2mathml comes with the test tools")


def written(folder: Path, *cells: dict[str, Any]) -> Path:
    """A notebook whose first cell is a title."""
    title = {"cell_type": "markdown", "source": ["# 1. Title\n", "\n", "About."]}
    path = folder / "1_title.ipynb"
    path.write_text(json.dumps({"cells": [title, *cells]}), encoding="utf-8")
    return path


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def html(text: str) -> str:
    return markdown.markdown(text, extensions=["tables", "fenced_code", formulas.Formulas()])


def tags(tex: str) -> str:
    """The parts of a formula, as `mi:x`."""
    nodes = ET.fromstring(formulas.mathml(tex)).iter()
    return " ".join(f"{node.tag}:{node.text}" for node in nodes if node.tag in {"mi", "mn", "mo", "mspace"})


def test_every_cell_is_on_its_page() -> None:
    made = {one.stem: one for one in pages()}
    assert len(made) == 8
    for stem, one in made.items():
        pictures = 0
        for cell in json.loads((ROOT / "course" / f"{stem}.ipynb").read_text(encoding="utf-8"))["cells"]:
            for line in "".join(cell["source"]).splitlines():
                assert line in one.text or "docs/" in line, f"{stem}: {line}"
            for output in cell.get("outputs", []):
                pictures += "image/png" in output.get("data", {})
                assert "".join(output.get("text", [])).rstrip() in one.text
        assert pictures == len(one.pictures) == one.text.count("![What the code above draws](")
        for name, png in one.pictures.items():
            assert f"]({name})" in one.text
            with Image.open(io.BytesIO(png)) as picture:
                picture.verify()


def test_what_a_cell_printed_is_one_block(tmp_path: Path) -> None:
    streams = [
        {"output_type": "stream", "name": "stdout", "text": text} for text in ("one\n", ["two\n", "```\n"], "\n")
    ]
    made = page(written(tmp_path, code("print()", *streams), code("pass", streams[-1])))
    assert made.text.startswith("# 1. Title\n\n*A notebook of [the course](../course.md)")
    assert made.text.endswith("```python\nprint()\n```\n\n````words\none\ntwo\n```\n````\n\n```python\npass\n```\n")


@pytest.mark.parametrize("text", ["a  1\nbb 2", "a:\n  b"])
def test_columns_are_not_broken(tmp_path: Path, text: str) -> None:
    made = page(written(tmp_path, code("print()", {"output_type": "stream", "name": "stdout", "text": text})))
    assert made.text.endswith(f"```text\n{text}\n```\n")


def test_names_of_pages_become_links(tmp_path: Path) -> None:
    made = page(written(tmp_path, {"cell_type": "markdown", "source": "See `docs/clip.md`."}))
    assert made.text.endswith("See [`docs/clip.md`](../clip.md).\n")


def test_a_cell_that_failed_is_no_page(tmp_path: Path) -> None:
    failed = code("1 / 0", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "", "traceback": []})
    with pytest.raises(ValueError, match=r"course/1_title.ipynb: a cell gave ZeroDivisionError, neither"):
        page(written(tmp_path, failed))
    with pytest.raises(ValueError, match="a cell is raw, not markdown or code"):
        page(written(tmp_path, {"cell_type": "raw", "source": ""}))


def test_a_formula_has_its_parts_and_its_tex() -> None:
    made = ET.fromstring(formulas.mathml(r"\frac{a}{\sqrt{b}}"))
    assert made.get("alttext") == r"\frac{a}{\sqrt{b}}"
    [fraction] = made.iter("mfrac")
    assert ["".join(part.itertext()) for part in fraction] == ["a", "b"]
    assert fraction[1].find(".//msqrt") is not None


def test_formulas_as_tex_prints_them() -> None:
    assert tags(r"\log p") == "mi:log mspace:None mi:p"
    assert tags(r"\sin(w)") == "mi:sin mo:( mi:w mo:)"
    assert tags(r"x \sim N(z; 0)") == "mi:x mo:\u223c mi:N mo:( mi:z mo:; mn:0 mo:)"
    assert 'stretchy="true"' in formulas.mathml(r"\Big(x\Big)")
    assert '<munder><mrow class="under">' in formulas.mathml(r"\underbrace{x}_{L}")


@pytest.mark.parametrize("tex", [r"\nosuch x", r"\left( x"])
def test_what_cannot_be_converted_is_told(tex: str) -> None:
    with pytest.raises(ValueError, match="the formula"):
        formulas.mathml(tex)


def test_formulas_in_text() -> None:
    assert html("so $x_1$ and $y_1$.").count("<math") == 2
    assert html("and\n\n$$a \\qquad b$$").count('display="block"') == 2
    assert "<em>" not in html("$a*b$ and $c*d$")


@pytest.mark.parametrize("text", ["`$x$`", "```sh\necho $A $B\n```", "from $5 to $6", "a \\$x$ b"])
def test_what_is_no_formula(text: str) -> None:
    assert "<math" not in html(text)

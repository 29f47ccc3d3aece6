"""`make course`: the units as notebooks that were run, into `course/`.

python -m tools.course [UNIT ...]      # none: those whose notebook is missing or older than the unit

Where only text has changed, what the cells gave is kept. A notebook is run whole, in a folder that is thrown away, and
kept only where no cell failed. What goes to stderr (progress, warnings) is left out.
"""

import base64
import importlib.util
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from unclip.core.imports.missing import install
from unclip.course.catalog import Unit, unit, units
from unclip.course.notebook import to_json, to_notebook

OUT = Path(__file__).resolve().parents[1] / "course"
NEEDED = ("nbclient", "nbformat", "ipykernel", "matplotlib")
MOST = 3600
"""Seconds that a cell may take on a machine that is shared."""
LARGE = 25_000
"""Bytes of a picture in a notebook that is committed."""


def path_of(each: Unit) -> Path:
    """Where the notebook of a unit lies."""
    return OUT / f"{each.stem}.ipynb"


def sources(notebook: dict[str, Any]) -> list[str]:
    """What stands in the cells, without what they gave."""
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def is_old(each: Unit) -> bool:
    """Whether its notebook is missing, or was made from another text."""
    if not path_of(each).exists():
        return True
    return sources(json.loads(path_of(each).read_text(encoding="utf-8"))) != sources(to_notebook(each.text))


def codes(notebook: dict[str, Any]) -> list[str]:
    """The cells of code, without what they gave."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def reworded(each: Unit) -> dict[str, Any] | None:
    """The notebook that is there with the unit's text of now; None where there is none, or its code has changed."""
    if not path_of(each).exists():
        return None
    old, new = json.loads(path_of(each).read_text(encoding="utf-8")), to_notebook(each.text)
    if codes(old) != codes(new):
        return None
    ran = iter([cell for cell in old["cells"] if cell["cell_type"] == "code"])
    for cell in new["cells"]:
        if cell["cell_type"] == "code":
            found = next(ran)
            cell.update(outputs=found["outputs"], execution_count=found["execution_count"])
    return new


def executed(each: Unit) -> dict[str, Any]:
    """Its notebook with what every cell gave. Raises `nbclient.exceptions.CellExecutionError` where one fails."""
    import nbclient
    import nbformat

    notebook: Any = nbformat.reads(to_json(to_notebook(each.text)), as_version=4)
    with tempfile.TemporaryDirectory(prefix="unclip-course-") as folder:
        where = {"metadata": {"path": folder}}
        nbclient.NotebookClient(
            notebook, timeout=MOST, kernel_name="python3", resources=where, record_timing=False
        ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    notebook.metadata = to_notebook(each.text)["metadata"]  # not the version of Python that ran it
    return notebook


def lighter(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with its large pictures in 256 colours; small ones stay, for few pixels do not hide what is lost."""
    for cell in notebook["cells"]:
        for data in (out.get("data", {}) for out in cell.get("outputs", [])):
            plain = base64.b64decode("".join(data.get("image/png", "")))
            if len(plain) > LARGE:
                with Image.open(io.BytesIO(plain)) as picture:
                    small = io.BytesIO()
                    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
                data["image/png"] = base64.b64encode(min(plain, small.getvalue(), key=len)).decode()
    return notebook


def main(numbers: list[str]) -> None:
    """Runs the units and says how long each took."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"error: {install('notebooks are run by', *missing)}")
    for each in [unit(int(number)) for number in numbers] or [each for each in units() if is_old(each)]:
        began = time.monotonic()
        text = to_json(lighter((None if numbers else reworded(each)) or executed(each)))
        OUT.mkdir(exist_ok=True)
        path_of(each).write_text(text, encoding="utf-8")
        print(f"{path_of(each)}: {time.monotonic() - began:.0f} s, {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A script in cells as a Jupyter notebook (nbformat 4.5): the py:percent form, which Jupytext and VS Code read, too.

# %% [markdown]      what follows is text, each line behind "# "
# %%                 what follows is code
"""

import json
import re
from typing import Any

CELL = re.compile(r"^# %%(?: \[(markdown)\])?\n", re.MULTILINE)
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def to_notebook(script: str) -> dict[str, Any]:
    """A notebook without outputs. What stands before the first cell is left out."""
    _, *parts = CELL.split(script)
    kinds, texts = parts[::2], parts[1::2]
    cells = [_cell(i, kind, text.strip("\n")) for i, (kind, text) in enumerate(zip(kinds, texts, strict=True))]
    return {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}


def to_json(notebook: dict[str, Any]) -> str:
    """The text of an .ipynb file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, kind: str | None, text: str) -> dict[str, Any]:
    source = re.sub(r"^# ?", "", text, flags=re.MULTILINE) if kind else text
    about: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": source.splitlines(keepends=True)}
    if kind:
        return {"cell_type": "markdown", **about}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **about}

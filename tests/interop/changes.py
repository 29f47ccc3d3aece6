"""Folders of other libraries in which a setting is another."""

import json
from pathlib import Path


def changed(folder: Path, part: str, **changes: object) -> Path:
    """Settings of a part of the folder, in its JSON file, are these; returns the folder."""
    path = folder / part
    table = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**table, **changes}), encoding="utf-8")
    return folder

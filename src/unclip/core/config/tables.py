"""JSON and TOML files that may come from anywhere: read as tables, or refused in one line that names the file."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

LARGEST = 64 * 2**20
"""Bytes. Settings are a few thousand; nothing that is read here comes near this."""


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON file whose whole is a table. what: it should be, "a model's config".

    Raises ValueError that names the file where it is missing, no plain file, or something else.
    """
    return _read(path, what, json.loads)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The same for TOML."""
    return _read(path, what, tomllib.loads)


def is_table(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether something that was read is a table."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether it is a list of values."""
    return isinstance(value, list | tuple)


def _read(path: Path, what: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise ValueError(f"{path}: not {what} (a folder or a device, not a file)")
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MB")
        table = parse(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path}: not {what} (tables within tables, too deep)") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not {what} ({error})") from error
    if not is_table(table):
        raise ValueError(f"{path}: not {what} (it holds a {type(table).__name__}, not a table)")
    return table

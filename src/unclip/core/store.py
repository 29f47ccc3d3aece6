"""A model on disk: `config.json` + `model.safetensors`, checked by SHA-256, written atomically, never unpickled.

    config.json    {"format": 1, "kind": "decoder", "config": {...}, "extra": {...},
                    "sha256": {"model.safetensors": "..."}}

A folder is written beside its place under a temporary name and renamed, so a killed save leaves the old one whole.
"""

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import unclip
from unclip.core.ranges import told
from unclip.core.shown import shown
from unclip.core.tables import read_json
from unclip.core.versions import WRITTEN_BY

FORMAT = 1
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Stored:
    """What a model folder holds."""

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    extra: dict[str, Any]
    sha256: str
    written_by: str = ""


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replaces `path` in one step: readers see the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(data.encode() if isinstance(data, str) else data)
    os.replace(part, path)


def to_json(value: Any) -> str:
    """Indented JSON; a number that is not finite becomes null, which JSON knows."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {k: plain(v) for k, v in part.items()}
        if isinstance(part, list | tuple):
            return [plain(v) for v in part]
        return None if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(value), indent=1)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Calls `fill` on a fresh folder beside `path`, then puts it in the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir()
    fill(part)
    if path.exists():
        os.replace(path, old)
    os.replace(part, path)
    shutil.rmtree(old, ignore_errors=True)


def recover(path: Path) -> None:
    """Finishes a replacement that was cut between its two renames, so that nothing is lost."""
    for old in _leftovers(path, "old"):
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(old, path)
    for part in _leftovers(path, "part"):
        shutil.rmtree(part, ignore_errors=True)


def _leftovers(path: Path, end: str) -> list[Path]:
    if not path.parent.is_dir():
        return []
    name = re.compile(rf"\.{re.escape(path.name)}\.\d+\.{end}")  # not a glob: `a.best` is no leftover of `a`
    return [p for p in path.parent.iterdir() if name.fullmatch(p.name)]


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(
    path: Path, kind: str, config: dict[str, Any], tensors: dict[str, Tensor], extra: dict[str, Any] | None = None
) -> str:
    """Writes a model folder and returns the SHA-256 of its weights."""

    def fill(folder: Path) -> None:
        save_file({k: v.detach().contiguous().cpu() for k, v in tensors.items()}, folder / WEIGHTS)
        head = {"format": FORMAT, "kind": kind, "config": config, "extra": extra or {}, WRITTEN_BY: unclip.__version__}
        head["sha256"] = {WEIGHTS: sha256(folder / WEIGHTS)}
        (folder / "config.json").write_text(json.dumps(head, indent=1), encoding="utf-8")

    write_folder(path, fill)
    return sha256(path / WEIGHTS)


def load(path: Path, kind: str | None = None) -> Stored:
    """Reads a model folder.

    Raises ValueError that names the file and the fix: missing, of another kind or format, or damaged (SHA-256).
    """
    if not path.exists():  # else leave a writer's unfinished folder alone
        recover(path)
    head = _read_head(path)
    if kind is not None and head["kind"] != kind:
        raise ValueError(f"{path}: holds a {shown(head['kind'], 60)}, not a {kind}; point at the folder of a {kind}")
    found, promised = sha256(path / WEIGHTS), head["sha256"][WEIGHTS]
    if found != promised:
        raise ValueError(
            f"{path / WEIGHTS}: damaged (SHA-256 {found[:12]}..., expected {shown(promised, 12)}...); "
            "copy the file again, or train this stage again"
        )
    try:
        tensors = load_file(path / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{path / WEIGHTS}: not a safetensors file ({error})") from error
    return Stored(head["kind"], head["config"], tensors, head["extra"], found, str(head.get(WRITTEN_BY, "")))


def _read_head(path: Path) -> dict[str, Any]:
    for name in ("config.json", WEIGHTS):
        if not (path / name).is_file():
            raise ValueError(f"{path / name}: not found; a model folder holds config.json and {WEIGHTS}")
    head = read_json(path / "config.json", "a model's config")
    version = head.get("format")
    if not isinstance(version, int):
        raise ValueError(f"{path / 'config.json'}: not a model's config (format = {told(version)})")
    if version != FORMAT:
        raise ValueError(
            f"{path / 'config.json'}: format {told(version)}, but this unclip reads {FORMAT}; use the one that wrote it"
        )
    for name, kind in {"kind": str, "config": dict, "extra": dict, "sha256": dict}.items():
        if not isinstance(head.get(name), kind):
            raise ValueError(
                f"{path / 'config.json'}: not a model's config ({name} = {told(head.get(name))}); "
                "restore it, or train this stage again"
            )
    if not isinstance(head["sha256"].get(WEIGHTS), str):
        raise ValueError(f"{path / 'config.json'}: sha256 names no {WEIGHTS}; restore it, or train this stage again")
    return head

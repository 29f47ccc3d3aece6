"""A model on disk: `config.json` + `model.safetensors`, checked by SHA-256, written atomically, never unpickled.

    config.json    {"format": 2, "kind": "decoder", "config": {...}, "extra": {...},
                    "sha256": {"model.safetensors": "...", "config.json": "..."}}

The second hash is over all else that config.json says, so that a change in either file is found. Some weights may lie
in another model's folder (`disk.elsewhere`).
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

import unclip
from unclip.core.config.ranges import quote
from unclip.core.config.tables import is_list, is_table, read_json
from unclip.core.disk import elsewhere
from unclip.core.disk.atomic import check_room, leftovers, room_told, write_folder
from unclip.core.disk.elsewhere import Elsewhere
from unclip.core.shown import printable
from unclip.core.untyped import load_tensors, save_tensors
from unclip.core.versions import WRITTEN_BY

FORMAT = 2
WEIGHTS, HEAD = "model.safetensors", "config.json"
WHOLE = "whole"
"""In the place of a file: the weights with those that lie elsewhere, as they would be in one file."""


class Damaged(ValueError):
    """A model folder that is not whole: a file is missing, cut or changed."""


@dataclass(frozen=True)
class Stored:
    """What a model folder holds; sha256: of the weights; identity: of settings and weights; elsewhere: where those of
    `tensors` are that are not in it."""

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    extra: dict[str, Any]
    sha256: str
    identity: str
    written_by: str = ""
    elsewhere: tuple[Elsewhere, ...] = ()


def to_json(value: Any) -> str:
    """Indented JSON; a number that is not finite becomes null, which JSON knows."""

    def plain(part: Any) -> Any:
        if is_table(part):
            return {k: plain(v) for k, v in part.items()}
        if is_list(part):
            return [plain(v) for v in part]
        return None if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(value), indent=1)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(
    path: Path,
    kind: str,
    config: dict[str, Any],
    tensors: dict[str, Tensor],
    extra: dict[str, Any] | None = None,
    before: Path | None = None,
    away: Sequence[Elsewhere] = (),
) -> str:
    """Writes a model folder and returns the SHA-256 of its weights. before: where the one it replaces is kept; away:
    where those of the tensors are that are not to be written.

    Raises ValueError that says what is needed and what is free where the disk has no room; the old one stays.
    """
    plain = {k: v.detach().contiguous().cpu() for k, v in tensors.items()}
    found: list[str] = []
    needed = size(plain)
    check_room(path, needed)

    def fill(folder: Path) -> None:
        shas = {WEIGHTS: _save_weights(plain, folder / WEIGHTS)}
        if away:
            kept = elsewhere.here(plain, away)
            shas = {WHOLE: shas[WEIGHTS], WEIGHTS: _save_weights(kept, folder / WEIGHTS)}
        found.append(shas[WEIGHTS])
        head = {"format": FORMAT, "kind": kind, "config": config, "extra": extra or {}, WRITTEN_BY: unclip.__version__}
        head |= elsewhere.written(away) | {"sha256": shas}
        shas[HEAD] = _digest(head)
        (folder / HEAD).write_text(json.dumps(head, indent=1), encoding="utf-8")
        (folder / WEIGHTS).chmod((folder / HEAD).stat().st_mode)  # as the umask has it; safetensors makes it 0600

    with room_told(path, needed):
        write_folder(path, fill, before)
    return found[0]


def size(tensors: dict[str, Tensor]) -> int:
    """Bytes that these take on disk, about."""
    return sum(t.numel() * t.element_size() + 200 for t in tensors.values()) + 4096


def _save_weights(tensors: dict[str, Tensor], path: Path) -> str:
    """Returns the SHA-256. Raises OSError with the system's number, where safetensors has only a text."""
    try:
        save_tensors(tensors, path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, str(error), str(path)) from error
    return sha256(path)


def _digest(head: dict[str, Any]) -> str:
    """Over the whole head but this digest itself."""
    plain = {**head, "sha256": {k: v for k, v in head["sha256"].items() if k != HEAD}}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def load(path: Path, kind: str | None = None) -> Stored:
    """Reads a model folder; one whose replacement was cut short as it was before.

    Raises Damaged (a ValueError) that names the file and the fix where it is missing or changed, ValueError for one of
    another kind or format.
    """
    place = _whole(path)
    head = _read_head(place)
    if kind is not None and head["kind"] != kind:
        raise ValueError(
            f"{path}: holds a {printable(head['kind'], 60)}, not a {kind}; point at the folder of a {kind}"
        )
    found = _check_weights(place, head)
    tensors, away = _tensors(place / WEIGHTS), tuple(_away(path, head))
    for one in away:
        tensors |= one.taken(_tensors(one.place(path) / WEIGHTS))
    written_by = str(head.get(WRITTEN_BY, ""))
    return Stored(head["kind"], head["config"], tensors, head["extra"], found, _identity(head, found), written_by, away)


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_tensors(file)
    except SafetensorError as error:
        raise Damaged(f"{file}: not a safetensors file ({printable(error)})") from error


def exists(path: Path) -> bool:
    """Whether a model, whole or not, lies in the folder."""
    return any((_whole(path) / name).exists() for name in (HEAD, WEIGHTS))


def check(path: Path) -> None:
    """Raises what `load` would, without reading the weights into memory."""
    place = _whole(path)
    head = _read_head(place)
    _check_weights(place, head)
    for _ in _away(path, head):
        pass


def identity(path: Path) -> str:
    """SHA-256 over settings and weights of a model folder: of all that decides what it does."""
    place = _whole(path)
    return _identity(_read_head(place), sha256(place / WEIGHTS))


def read_extra(path: Path) -> dict[str, Any]:
    """What was noted beside a model. Raises what `load` would for its config.json."""
    return _read_head(_whole(path))["extra"]


def _identity(head: dict[str, Any], weights: str) -> str:
    """The same whether all its weights lie in one file or some elsewhere."""
    whole = str(head["sha256"].get(WHOLE, weights)) if elsewhere.KEY in head else weights
    return hashlib.sha256(f"{json.dumps(head['config'], sort_keys=True)} {whole}".encode()).hexdigest()


def _away(path: Path, head: dict[str, Any]) -> Iterator[Elsewhere]:
    """Where weights of a model are that are not in its folder. Raises Damaged where they are gone, or others."""
    for one in elsewhere.read(head):
        file = one.place(path) / WEIGHTS
        if not file.is_file():
            raise Damaged(f"{file}: not found, and weights of {path} lie there; {MEND}")
        if (found := sha256(file)) != one.sha256:
            raise Damaged(
                f"{file}: weights of {path} lie there, and it is damaged, or another one (SHA-256 {found[:12]}..., "
                f"expected {printable(one.sha256[:12])}...); {MEND}"
            )
        yield one


def _whole(path: Path) -> Path:
    """The folder to read. Between the two renames of a save that is the old one; a reader never renames itself."""
    return path if path.exists() else next(iter(leftovers(path, "old")), path)


def _check_weights(path: Path, head: dict[str, Any]) -> str:
    found, promised = sha256(path / WEIGHTS), head["sha256"][WEIGHTS]
    if found != promised:
        raise Damaged(
            f"{path / WEIGHTS}: damaged (SHA-256 {found[:12]}..., expected {printable(promised[:12])}...); {MEND}"
        )
    return found


MEND = "copy the file again, or the command that trained it makes it whole again"


def _read_head(path: Path) -> dict[str, Any]:
    for name in (HEAD, WEIGHTS):
        if not (path / name).is_file():
            raise Damaged(f"{path / name}: not found; a model folder holds {HEAD} and {WEIGHTS}")
    try:
        head = read_json(path / HEAD, "a model's config")
    except ValueError as error:
        raise Damaged(f"{error}; {MEND}") from error
    version = head.get("format")
    if not isinstance(version, int):
        raise Damaged(f"{path / HEAD}: not a model's config (format = {quote(version)}); {MEND}")
    if version != FORMAT:
        raise ValueError(
            f"{path / HEAD}: format {quote(version)}, but this unclip reads {FORMAT}; use the one that wrote it"
        )
    _check_head(path, head)
    return head


def _check_head(path: Path, head: dict[str, Any]) -> None:
    for name, kind in (("kind", str), ("config", dict), ("extra", dict), ("sha256", dict)):
        if not isinstance(head.get(name), kind):
            raise Damaged(f"{path / HEAD}: not a model's config ({name!r} is missing or no {kind.__name__}); {MEND}")
    if not all(isinstance(head["sha256"].get(name), str) for name in (HEAD, WEIGHTS)):
        raise Damaged(f"{path / HEAD}: not a model's config (it has no hashes); {MEND}")
    if _digest(head) != head["sha256"][HEAD]:
        raise Damaged(f"{path / HEAD}: damaged (it is not what its SHA-256 was taken of); {MEND}")
    try:
        for one in elsewhere.read(head):
            one.place(path)
    except ValueError as error:
        raise Damaged(f"{path / HEAD}: not a model's config ({error}); {MEND}") from error

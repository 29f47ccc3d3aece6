"""A model folder: whole or refused, whatever happened to it on disk."""

import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests.fakes import draw, forge_head

from unclip.core.disk import atomic, store

TENSORS = {
    "a": draw(3, 4),
    "count": torch.tensor(7),
    "half": draw(2, 2, key=1).bfloat16(),
    "turned": draw(2, 5, key=2).t(),
}


def saved(path: Path, scale: float = 1.0) -> Path:
    store.save(path, "Toy", {"x": 1}, {k: v * scale for k, v in TENSORS.items()}, {"step": 3})
    return path


def edit_head(path: Path, **changes: object) -> None:
    head = json.loads((path / "config.json").read_text(encoding="utf-8"))
    kept = {k: v for k, v in {**head, **changes}.items() if v is not None}
    (path / "config.json").write_text(json.dumps(kept), encoding="utf-8")


def holds(path: Path, scale: float) -> bool:
    return torch.equal(store.load(path).tensors["a"], TENSORS["a"] * scale)


def test_round_trip(tmp_path: Path):
    digest = store.save(tmp_path / "deep" / "m", "Toy", {"x": [1, 2.5]}, TENSORS, {"step": 3, "none": None})
    stored = store.load(tmp_path / "deep" / "m", "Toy")
    assert (stored.kind, stored.config, stored.extra) == ("Toy", {"x": [1, 2.5]}, {"step": 3, "none": None})
    assert stored.tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert stored.tensors[name].dtype == value.dtype
        assert torch.equal(stored.tensors[name], value)
    assert stored.sha256 == digest == hashlib.sha256((tmp_path / "deep/m/model.safetensors").read_bytes()).hexdigest()


def test_saving_again_replaces_and_leaves_nothing_beside(tmp_path: Path):
    path = saved(saved(tmp_path / "m"), 2.0)
    assert holds(path, 2.0)
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("place", [10, -1])
def test_a_flipped_byte_is_found(tmp_path: Path, place: int):
    weights = saved(tmp_path / "m") / store.WEIGHTS
    data = bytearray(weights.read_bytes())
    data[place] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged .SHA-256"):
        store.load(tmp_path / "m")


def test_a_cut_file_is_found(tmp_path: Path):
    weights = saved(tmp_path / "m") / store.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ValueError, match="damaged"):
        store.load(tmp_path / "m")


def test_another_format_version_is_refused(tmp_path: Path):
    edit_head(saved(tmp_path / "m"), format=store.FORMAT + 1)
    with pytest.raises(ValueError, match=r"config\.json: format 3, but this unclip reads 2"):
        store.load(tmp_path / "m")


def test_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="holds a Toy, not a Decoder"):
        store.load(saved(tmp_path / "m"), "Decoder")


@pytest.mark.parametrize("name", ["config.json", store.WEIGHTS])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    (saved(tmp_path / "m") / name).unlink()
    with pytest.raises(ValueError, match=f"{name}: not found"):
        store.load(tmp_path / "m")


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", "3"])
def test_a_config_that_is_none_is_named(tmp_path: Path, text: str):
    (saved(tmp_path / "m") / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.json: not a model's config"):
        store.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["kind", "config", "sha256", "extra"])
def test_a_config_that_lacks_an_entry_is_named(tmp_path: Path, name: str):
    edit_head(saved(tmp_path / "m"), **{name: None})
    with pytest.raises(ValueError, match=r"config\.json: not a model's config"):
        store.load(tmp_path / "m")


class Payload:
    """Writes a file when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_nothing_is_unpickled(tmp_path: Path):
    weights, mark = saved(tmp_path / "m") / store.WEIGHTS, tmp_path / "ran"
    weights.write_bytes(pickle.dumps(Payload(mark)))
    forge_head(tmp_path / "m", sha256={store.WEIGHTS: store.sha256(weights)})
    with pytest.raises(store.Damaged, match="not a safetensors file"):
        store.load(tmp_path / "m")
    assert not mark.exists()


class Killed(BaseException):
    """Stands for a process that ends here."""


@pytest.mark.parametrize("survives", [0, 1, 2])
def test_a_save_killed_at_any_rename_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survives: int):
    path, real, left = saved(tmp_path / "m"), os.replace, [survives]

    def replace(a, b):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        real(a, b)

    monkeypatch.setattr(os, "replace", replace)
    if survives < 2:
        with pytest.raises(Killed):
            saved(path, 2.0)
    else:
        saved(path, 2.0)
    monkeypatch.undo()
    assert holds(path, 2.0 if survives == 2 else 1.0)
    saved(path, 3.0)
    atomic.recover(path)
    assert holds(path, 3.0)
    assert os.listdir(tmp_path) == ["m"]


def test_a_kill_before_the_old_one_is_deleted_keeps_the_new_one(tmp_path: Path):
    path, old = saved(tmp_path / "m", 2.0), saved(tmp_path / ".m.99999.old", 1.0)
    atomic.recover(path)
    assert holds(path, 2.0)
    assert not old.exists()


def test_a_fill_that_fails_leaves_the_old_folder(tmp_path: Path):
    path = saved(tmp_path / "m")

    def fill(folder: Path) -> None:
        (folder / "half").write_text("x", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic.write_folder(path, fill)
    assert holds(path, 1.0)


def test_recovery_minds_its_own_folder_only(tmp_path: Path):
    """`decoder` must not take what belongs to `decoder.best`."""
    other = saved(tmp_path / ".decoder.best.77.old")
    atomic.recover(tmp_path / "decoder")
    assert other.exists()
    assert not (tmp_path / "decoder").exists()
    atomic.recover(tmp_path / "decoder.best")
    assert holds(tmp_path / "decoder.best", 1.0)


def test_recovery_works_for_names_with_glob_characters(tmp_path: Path):
    saved(tmp_path / ".run[1].77.old")
    atomic.recover(tmp_path / "run[1]")
    assert holds(tmp_path / "run[1]", 1.0)


def test_reading_leaves_a_writers_unfinished_folder_alone(tmp_path: Path):
    """`generate` may read a run's model while the training is writing the next one."""
    path, part = saved(tmp_path / "m"), tmp_path / ".m.77.part"
    part.mkdir()
    store.load(path)
    assert part.exists()


def test_write_atomic_replaces_and_keeps_the_old_text_on_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "new" / "a.txt"
    atomic.write_atomic(path, "old")
    atomic.write_atomic(path, b"new")
    assert path.read_text(encoding="utf-8") == "new"
    monkeypatch.setattr(os, "replace", lambda a, b: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        atomic.write_atomic(path, "third")
    assert path.read_text(encoding="utf-8") == "new"


def test_a_change_of_any_letter_of_the_config_is_found(tmp_path: Path):
    config = saved(tmp_path / "m") / "config.json"
    whole = config.read_bytes()
    for place, byte in enumerate(whole):
        if not chr(byte).isspace():
            config.write_bytes(whole[:place] + bytes([byte ^ 1]) + whole[place + 1 :])
            with pytest.raises(ValueError, match=r"config\.json"):
                store.load(tmp_path / "m")
    config.write_bytes(whole)
    assert holds(tmp_path / "m", 1.0)


@pytest.mark.parametrize("changes", [{"config": []}, {"kind": 3}, {"extra": "x"}, {"kind": "\x1b[2J"}])
def test_a_forged_config_is_one_line(tmp_path: Path, changes: dict[str, object]):
    forge_head(saved(tmp_path / "m"), **changes)
    with pytest.raises(ValueError, match=r"^[ -~]+$"):
        store.load(tmp_path / "m", "Toy")


def test_nothing_that_others_laid_into_a_model_folder_is_lost(tmp_path: Path):
    path, before = saved(tmp_path / "m"), tmp_path / "m.before"
    for number in range(4):
        (path / f"notes {number}.txt").write_text("work", encoding="utf-8")
        store.save(path, "Toy", {}, TENSORS, before=before if number else None)
    store.save(path, "Toy", {}, TENSORS)
    atomic.remove(before, heir=path)
    assert sorted(p.name for p in path.glob("notes*")) == [f"notes {number}.txt" for number in range(4)]
    assert os.listdir(tmp_path) == ["m"]
    atomic.remove(path)
    assert len(list(path.iterdir())) == 4


def test_the_model_before_is_kept_whole_at_any_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, before, real = tmp_path / "m", tmp_path / "m.before", os.replace
    for survives in range(3):
        for scale in (1.0, 2.0):
            store.save(path, "Toy", {}, {"a": TENSORS["a"] * scale}, before=before)
        left = iter(range(survives))

        def replace(a: Path, b: Path, left=left) -> None:
            if next(left, None) is None:
                raise Killed
            real(a, b)

        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(Killed) if survives < 2 else nullcontext():
            store.save(path, "Toy", {}, {"a": TENSORS["a"] * 3}, before=before)
        monkeypatch.undo()
        atomic.recover(path)
        newest = path if path.exists() else before
        assert holds(newest, 3.0 if survives == 2 else 2.0)
        store.check(newest)


def test_files_have_the_umasks_mode(tmp_path: Path):
    old = os.umask(0o027)
    try:
        path = saved(tmp_path / "m")
    finally:
        os.umask(old)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o640}
    assert path.stat().st_mode & 0o777 == 0o750


def test_the_weights_are_hashed_once_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[Path] = []
    monkeypatch.setattr(store, "sha256", lambda path, real=store.sha256: seen.append(path) or real(path))
    saved(tmp_path / "m")
    assert len(seen) == 1


def test_a_full_disk_is_told_before_a_byte_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path / "m")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=10**9, free=1000))
    with pytest.raises(
        ValueError, match=r"m: cannot be written .no space left.*: [\d,]+ bytes needed, 1,000 bytes free"
    ):
        saved(path, 2.0)
    assert holds(path, 1.0)
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limits here")
def test_a_write_that_the_system_refuses_is_told_and_the_old_one_stays(tmp_path: Path):
    path = saved(tmp_path / "m")
    atomic.write_atomic(tmp_path / "a.txt", "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(ValueError, match=r"m: cannot be written .*needed, .* free"):
            store.save(path, "Toy", {}, {"a": draw(100, 100)})
        with pytest.raises(ValueError, match=r"a\.txt: cannot be written .*5,000 bytes needed, .* free"):
            atomic.write_atomic(tmp_path / "a.txt", "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert holds(path, 1.0)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "m"]

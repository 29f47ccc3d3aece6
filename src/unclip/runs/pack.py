"""A run without the images that it was trained on: what generation needs, and no more, to be given to others."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from unclip.core.disk import store
from unclip.core.disk.elsewhere import Elsewhere
from unclip.core.disk.new import new_folder
from unclip.core.typing import Tensor
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash


def pack_run(root: str | Path, out: str | Path, half: bool = False) -> int:
    """Copies settings, plugins, tokenizer and weights of a finished run to the new folder `out`; returns its bytes.

    half: matrices and kernels are stored in bfloat16 (they are loaded into float32 again), and the early weights are
    left out.

    Raises ValueError for an unfinished or damaged run, one that another process writes into, and where `out` is there
    already; what was copied is loaded before it gets its name.
    """
    run, place = RunFolder(Path(root)), Path(out)
    run.require()
    if place.resolve().is_relative_to(run.root.resolve()):
        raise ValueError(f"{place}: lies in the run itself; name a folder outside")
    locked = nullcontext() if run.sealed else run.writing()  # a stage that is being added would be there in half
    with locked, new_folder(place) as folder:
        was = model_hash(run)
        names = [*run.networks(), *([] if half else [f"early/{run.drawing}"])]
        parted = [name for name in copy_model(run, folder, names) if store.load(folder / name).elsewhere]
        if model_hash(RunFolder(folder)) != was or model_hash(run) != was:
            raise ValueError(f"{run.root}: has changed while it was copied; try again")
        packed = RunFolder(folder)
        for name in parted:  # all before any is halved, for then another's hash is no more what they promise
            _store_again(packed, name)
        for name in packed.networks() if half else ():
            _store_again(packed, name, halved)
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def copy_model(run: RunFolder, folder: Path, names: Iterable[str]) -> list[str]:
    """Copies settings, plugins, tokenizer and those of these stages that are there; returns their names."""
    for file in (run.settings, run.tokenizer, run.root / "state.json"):
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    if run.plugins.is_dir():
        shutil.copytree(run.plugins, folder / run.plugins.name, ignore=shutil.ignore_patterns("__pycache__"))
    found = [name for name in names if (run.root / name).is_dir()]
    for name in found:
        shutil.copytree(run.root / name, folder / name)
    return found


def _store_again(run: RunFolder, name: str, how: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict) -> None:
    """Stores a stage with all its weights in its own folder. how: what is made of them."""
    kept = store.load(run.root / name)
    restore(run, name, kept, how(kept.tensors))


def restore(
    run: RunFolder, name: str, kept: store.Stored, tensors: Mapping[str, Tensor], away: Sequence[Elsewhere] = ()
) -> None:
    """Stores a stage again with these weights, and notes its new hash. away: where those are that are not written."""
    sha = store.save(run.root / name, kept.kind, kept.config, dict(tensors), kept.extra, away=away)
    run.finish(name, {**run.state()[name], "sha256": sha})


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of two and more dimensions in bfloat16; biases, gains and statistics are few and stay as they are."""
    wide = {name for name, value in tensors.items() if value.dtype == torch.float32 and value.ndim > 1}
    return {name: value.to(torch.bfloat16) if name in wide else value for name, value in tensors.items()}

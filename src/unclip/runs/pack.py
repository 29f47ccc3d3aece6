"""A run without the images that it was trained on: what generation needs, and no more, to be given to others."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from unclip.core.disk import store
from unclip.core.disk.new import new_folder
from unclip.core.plugins.noted import NOTE
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash


def pack_run(root: str | Path, out: str | Path) -> int:
    """Copies settings, plugins, tokenizer and weights of a finished run to the new folder `out`; returns its bytes.

    Raises ValueError for an unfinished or damaged run, one that another process writes into, and where `out` is there
    already; what was copied is loaded before it gets its name.
    """
    run, place = RunFolder(Path(root)), Path(out)
    run.require()
    if place.resolve().is_relative_to(run.root.resolve()):
        raise ValueError(f"{place}: lies in the run itself; name a folder outside")
    with run.writing(), new_folder(place) as folder:  # a stage that is being added would be there in half
        for name in copy_model(run, folder, [*run.networks(), f"early/{run.drawing}"]):
            store.load(folder / name)
        if model_hash(RunFolder(folder)) != model_hash(run):
            raise ValueError(f"{run.root}: has changed while it was copied; try again")
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def copy_model(run: RunFolder, folder: Path, names: Iterable[str]) -> list[str]:
    """Copies settings, plugins, tokenizer and those of these stages that are there; returns their names."""
    for file in (run.settings, run.tokenizer, run.root / "state.json"):
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    if (run.root / NOTE).is_dir():
        shutil.copytree(run.root / NOTE, folder / NOTE, ignore=shutil.ignore_patterns("__pycache__"))
    found = [name for name in names if (run.root / name).is_dir()]
    for name in found:
        shutil.copytree(run.root / name, folder / name)
    return found

"""A run without the pictures that it was trained on: what generation needs, and no more, to be given to others."""

import shutil
from pathlib import Path

from unclip.core.fresh import new_folder
from unclip.pipeline.load import load
from unclip.pipeline.run_folder import DRAWS, RunFolder
from unclip.pipeline.stored import BUILDERS, model_hash


def pack_run(root: str | Path, out: str | Path) -> int:
    """Copies settings, tokenizer and weights of a finished run to the new folder `out`; returns the bytes of it.

    Raises ValueError for an unfinished or damaged run, and where `out` is there already; what was copied is loaded
    before it gets its name.
    """
    run, place = RunFolder(Path(root)), Path(out)
    run.require()
    if place.resolve().is_relative_to(run.root.resolve()):
        raise ValueError(f"{place}: lies in the run itself; name a folder outside")

    with new_folder(place) as folder:
        _copy(run, folder)
        load(folder, "cpu")
        if model_hash(RunFolder(folder)) != model_hash(run):
            raise ValueError(f"{run.root}: has changed while it was copied; try again")
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def _copy(run: RunFolder, folder: Path) -> None:
    for file in (run.settings, run.tokenizer, run.root / "state.json"):
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    stages = [name for name in run.state() if name in BUILDERS]
    for name in [*stages, f"early/{DRAWS[run.model]}"]:
        if (run.root / name).is_dir():
            shutil.copytree(run.root / name, folder / name)

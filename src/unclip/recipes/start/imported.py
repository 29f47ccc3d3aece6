"""A model of another library as a finished run: drawn with, scored, explained, started from like any other."""

from dataclasses import replace
from pathlib import Path

from unclip.core.config.base import options
from unclip.core.disk import store
from unclip.core.disk.new import new_folder
from unclip.interop.ddpm.read import read
from unclip.models.ddpm import DDPM, DDPMOptions
from unclip.recipes.presets import ddpm_cifar10
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.recipes.stages import DDPMRecipe
from unclip.runs.folder import RunFolder


def import_run(path: Path, out: Path) -> RunConfig:
    """Makes a run of a `DDPMPipeline` folder of diffusers in the new folder `out`; returns its settings.

    How it would be trained on is `--preset ddpm-cifar10`'s. Raises ValueError as `interop.ddpm.read.read` does, and
    where `out` is there already.
    """
    model = read(path)
    config = settings_of(model)
    with new_folder(out) as folder:
        run = RunFolder(folder)
        write_settings(run.settings, config)
        _store(run, model, path)
    return config


def settings_of(model: DDPM) -> RunConfig:
    """The settings of a run that holds this DDPM."""
    base = ddpm_cifar10(model.config.size)
    chosen = options(model.config, DDPMOptions)
    recipe = replace(base.of(DDPMRecipe), **chosen, classes=bool(model.config.classes))
    return base.using(ddpm=recipe)


def _store(run: RunFolder, model: DDPM, path: Path) -> None:
    count = sum(p.numel() for p in model.parameters())
    figures = {"steps": 0, "seconds": 0.0, "skipped": 0, "parameters": count}
    why = f"not judged: imported from {path.name}, a pipeline of diffusers"
    record = {"passed": True, "why": why, "metrics": figures}
    extra = {**figures, "ended": record, "began": {}}
    sha = store.save(run.root / "ddpm", "ddpm", model.config.to_dict(), model.state_dict(), extra)
    run.finish("ddpm", {**record, "sha256": sha})

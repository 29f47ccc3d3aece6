"""Whole runs on a device that is not the CPU and refuses float64, as an Apple laptop's: nothing stays on the CPU."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.end_to_end.test_run import STAGES, short
from tests.fake_device import fake_gpu
from tests.processes import painted, runs

from unclip.data.shapes.world import World
from unclip.data.source import Source
from unclip.recipes.add import add_stage, with_stage
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log

STEPS = 2
ADDED = ("noisy_clip", "inpaint", "distilled")


def losses(folder: Path, stage: str) -> list[float]:
    return [line["loss"] for line in read_log(RunFolder(folder).logs / f"{stage}.jsonl")]


def trained(source: Source, config: RunConfig, place: Path, added: tuple[str, ...] = ()) -> None:
    """The run, and stages that are added to it."""
    list(train_stages(source, place, config, threading.Event(), force=True))
    for stage in added:
        asked = with_stage(place, stage)
        few = {stage: retrained(asked.recipes[stage], steps=STEPS, batch=4)}
        list(add_stage(place, stage, asked.using(**few), threading.Event(), source))


def compared(source: Source, config: RunConfig, place: Path, added: tuple[str, ...] = ()) -> None:
    """On both devices the same losses; the images lie on the one that is not the CPU."""
    trained(source, config, place / "cpu", added)
    with pytest.MonkeyPatch.context() as patch, fake_gpu():
        patch.setattr("unclip.recipes.sources.resident.free_on", lambda _: 10**9)
        trained(source, config, place / "gpu", added)
    for stage in (*config.stages, *added):
        assert losses(place / "gpu", stage) == pytest.approx(losses(place / "cpu", stage), rel=1e-3), stage
        assert losses(place / "gpu", stage)


@pytest.mark.slow
def test_a_run_without_float64_has_the_losses_of_the_cpu(tmp_path: Path):
    config = replace(short(STEPS), workers=1)
    assert config.stages == STAGES
    compared(World(32, scenes=16), config, tmp_path, ADDED)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["latent", "ddpm", "vae", "flow", "gan", "dropout", "loss-aware"])
def test_so_has_every_other_kind_of_run(kind: str, tmp_path: Path):
    source, config = runs(painted(tmp_path), STEPS)[kind]
    compared(source, replace(config, workers=1), tmp_path)

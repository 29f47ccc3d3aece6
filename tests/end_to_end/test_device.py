"""Whole runs on a device that is not the CPU and refuses float64, as an Apple laptop's: nothing stays on the CPU."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.end_to_end.test_run import STAGES, short
from tests.fake_device import fake_gpu

from unclip.data.shapes.world import World
from unclip.recipes.run import train_stages
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log


def losses(folder: Path, stage: str) -> list[float]:
    return [line["loss"] for line in read_log(RunFolder(folder).logs / f"{stage}.jsonl")]


@pytest.mark.slow
def test_a_run_without_float64_has_the_losses_of_the_cpu(tmp_path: Path):
    for place in ("cpu", "gpu"):
        run = train_stages(
            World(32, scenes=16), tmp_path / place, replace(short(2), workers=1), threading.Event(), force=True
        )
        if place == "cpu":
            list(run)
            continue
        with fake_gpu():
            list(run)
    for stage in STAGES:
        assert losses(tmp_path / "gpu", stage) == pytest.approx(losses(tmp_path / "cpu", stage), rel=1e-3), stage
        assert losses(tmp_path / "gpu", stage)

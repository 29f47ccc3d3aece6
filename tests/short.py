"""A whole text-to-image run in seconds: tiny networks, few steps, few drawn scenes."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests import once

from unclip.data.shapes.world import World
from unclip.models.decoder import decoder_sampling
from unclip.models.priors.diffusion import prior_sampling
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.events import Event
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

STAGES = ("clip", "prior", "decoder")


def short(steps: int) -> RunConfig:
    """Tiny networks, few steps, a checkpoint after each."""
    few = TrainConfig(4, OptimConfig(lr=1e-3, muon_lr=1e-3, warmup=2), steps=steps)
    return RunConfig(
        size=32,
        precision="float32",
        checkpoint_seconds=0.0,
        recipes={
            "clip": CLIPRecipe(width=16, text_width=32, text_layers=1, vision_stem=(8, 16), vision_width=32, train=few),
            "prior": PriorRecipe(width=32, layers=1, sampling=replace(prior_sampling(), steps=2), train=few),
            "decoder": DecoderRecipe(
                network=UNetConfig(patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, True), fine=8),
                sampling=replace(decoder_sampling(), steps=2),
                train=few,
            ),
        },
    )


def events(folder: Path, config: RunConfig, stop: threading.Event | None = None) -> Iterator[Event]:
    return train_stages(World(32, scenes=64), folder, config, stop or threading.Event(), force=True)


def finished(folder: Path) -> Path:
    """A run that ended after one step a stage; a copy of it where another test has had one trained."""
    kept = [shared / "short" for shared in once.SHARED]
    if found := [place for place in kept if place.exists()]:
        return Path(shutil.copytree(found[0], folder))
    list(events(folder, short(1)))
    for place in kept:
        whole = Path(shutil.copytree(folder, place.with_suffix(f".{os.getpid()}")))
        with contextlib.suppress(OSError):  # another worker was first
            whole.rename(place)
    return folder


def losses(folder: Path, stage: str) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in read_log(RunFolder(folder).logs / f"{stage}.jsonl")]

"""How near a DDPM's images come to those it was trained on, over its training: drawn at 3, 10, 30, 100 and 300 passes.

    python benchmarks/memorisation.py train ../shared/data/emoji OUT --images 100 [--size 32] [--seed 0]

Trains the recipe of `unclip train --model ddpm` on so many images of the data's training split, drawn by the seed, and
keeps 512 images as OUT/IMAGES/PASSES.npy. It is stopped and continued at will.
"""

import argparse
import copy
from pathlib import Path

import numpy as np
from torch import nn

from unclip.core import machine
from unclip.core.noise import initial_weights
from unclip.data.loader import to_pixels
from unclip.data.prepare.splits import SHARE, copies, split_rows
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.source import open_source
from unclip.generation.ddpm import DDPMPipeline
from unclip.models.ddpm import DDPM
from unclip.recipes.feed import PictureFeed
from unclip.recipes.stages.ddpm import DDPMRecipe
from unclip.training.checkpoint import load_checkpoint, save_checkpoint
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer

PASSES = (3, 10, 30, 100, 300)
DRAWN, BATCH = 512, 64


def main() -> None:
    """Trains until it has drawn at the last of `PASSES`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train"])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    machine.prepare_memory()
    prepared = prepare(open_source(asked.data), asked.out / "data", asked.size, 1.0, captioned=False)
    rows = split_rows(prepared.keys, copies(prepared), SHARE).train
    rows = np.sort(np.random.default_rng(asked.seed).permutation(rows)[: asked.images])
    place = asked.out / str(len(rows))
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "rows.npy", rows)
    campaign(prepared, rows, place, asked.seed)


def campaign(prepared: Prepared, rows: np.ndarray, place: Path, seed: int) -> None:
    """Trains on these rows, and draws at each of `PASSES`."""
    recipe = DDPMRecipe()
    with initial_weights(seed, "ddpm"):
        module = DDPM(recipe.config(prepared.size, ()))
    marks = {round(passes * len(rows) / recipe.train.batch): passes for passes in PASSES}
    plan = Plan(steps=max(marks), cooldown=recipe.train.cooldown)
    feed = PictureFeed(prepared, rows, recipe.train.batch, seed, flip=False)
    trainer = Trainer(module, feed, recipe.train, plan, seed, "float32", 1)
    checkpoint = (place / "checkpoint", place / "checkpoint-before")
    for line in load_checkpoint(checkpoint, trainer):
        print(line, flush=True)
    averaged = copy.deepcopy(module).eval().requires_grad_(False)
    for report in trainer.steps():
        if report.step in marks:
            averaged.load_state_dict(trainer.ema.average)
            np.save(place / f"{marks[report.step]}.npy", drawn(averaged, seed))
            print(f"{marks[report.step]} passes: step {report.step}, loss {report.loss:.4f}", flush=True)
        if report.step % 500 == 0 or report.step in marks:
            save_checkpoint(checkpoint, trainer)


def drawn(model: nn.Module, seed: int) -> np.ndarray:
    """uint8 [DRAWN, h, w, 3] by the recipe's own sampling."""
    assert isinstance(model, DDPM)
    pipeline, parts = DDPMPipeline(model, device="cpu", precision="float32"), []
    for first in range(seed, seed + DRAWN, BATCH):
        *_, last = pipeline.steps([""] * BATCH, range(first, first + BATCH))
        parts.append(to_pixels(last.x.clamp(-1, 1)))
    return np.concatenate(parts)


if __name__ == "__main__":
    main()

"""What a GAN's settings are worth in a minute of a core: a short training on drawn shapes that no collapse stops.

    python benchmarks/gan.py [--size 16] [--steps 600] [--seed 0] [--images 2000] [--scenes] [--set NAME=VALUE ...]
                             [--png OUT]

NAME: of the recipe (gamma=0.3, augment=off) or of its optimiser (lr, muon_lr, muon_momentum, ...). --scenes: one to
three objects on an image, otherwise one. Every 100 steps, and at the end with them KID of 512 images (supervised judge)
and how many of 64 are distinct: seconds of the processor, and the means of what the log of a run shows.
"""

import argparse
import copy
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

import torch

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.core.typing import Images
from unclip.course import pictures
from unclip.evaluation.judging.likeness import SIDES
from unclip.evaluation.sets.distinct import distinct_images
from unclip.evaluation.sets.kernel import kid_scores
from unclip.images.files import grid, save_picture, to_pictures
from unclip.judges.judge import within
from unclip.judges.shipped import load
from unclip.models.families.gan import GANTraining
from unclip.recipes.stages import GANRecipe
from unclip.training.ema import EMA
from unclip.training.optim import OptimConfig, clip_gradients, optimizers
from unclip.training.plan import Plan

IMAGES, HELD_OUT, JUDGED = 2000, 512, 512


def recipe(changes: Mapping[str, str]) -> GANRecipe:
    """The default one with these settings."""
    plain = GANRecipe()
    known = {f.name for f in fields(OptimConfig)}
    optim = {name: float(value) for name, value in changes.items() if name in known}
    own = {name: value if name == "augment" else float(value) for name, value in changes.items() if name not in known}
    return replace(plain, **own, train=replace(plain.train, optim=replace(plain.train.optim, **optim)))


def batches(x: Images, batch: int, seed: int) -> Iterator[Images]:
    """Some of the images, half of them mirrored."""
    dice = torch.Generator().manual_seed(seed)
    while True:
        some = x[torch.randint(len(x), (batch,), generator=dice)]
        mirrored = torch.rand(batch, generator=dice) < 0.5
        yield torch.where(mirrored[:, None, None, None], some.flip(-1), some)


@torch.no_grad()
def drawn(task: GANTraining, ema: EMA, n: int) -> Images:
    """By the averaged generator."""
    best = copy.deepcopy(task)
    best.load_state_dict(ema.average)
    z = Noise.shared(1, "z").normal((n, best.generator.latent))
    return best.generator.decode(z, torch.zeros(n, dtype=torch.long)).clamp(-1, 1)


def trained(asked: argparse.Namespace) -> Iterator[tuple[int, float, dict[str, float], Images]]:
    """Every 100 steps: the step, seconds, means of the log, images."""
    r = recipe(dict(each.split("=", 1) for each in asked.set))
    torch.manual_seed(asked.seed)
    task = GANTraining(r.config(asked.size, ()), r.loss(asked.images))
    chosen, ema, plan = optimizers(task, r.train.optim), EMA(task), Plan(asked.steps)
    x = pictures("shapes", asked.size, asked.images, alone=not asked.scenes)
    log, spent = list[dict[str, float]](), 0.0
    for step, images in zip(range(1, asked.steps + 1), batches(x, r.train.batch, asked.seed), strict=False):
        began = time.process_time()
        task.pace((step - 1) / asked.steps)
        for group in [group for optimizer in chosen for group in optimizer.param_groups]:
            group["lr"] = group["peak"] * plan.rate(step - 1, r.train.optim.warmup)
        found = task.loss(Batch(images=images), Noise.shared(asked.seed, step))
        found.total.backward()
        clip_gradients(task.parameters(), r.train.optim.clip)
        for optimizer in chosen:
            optimizer.step()
            optimizer.zero_grad()
        ema.update(task, step)
        log.append({name: float(value) for name, value in found.parts.items()})
        spent += time.process_time() - began
        if step % 100 == 0 or step == asked.steps:
            means = {name: sum(line[name] for line in log[-100:]) / len(log[-100:]) for name in log[0]}
            yield step, spent, means, drawn(task, ema, JUDGED if step == asked.steps else 48)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"--size": 16, "--steps": 600, "--seed": 0, "--images": IMAGES}.items():
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--scenes", action="store_true")
    parser.add_argument("--set", nargs="+", default=[])
    parser.add_argument("--png", type=Path)
    asked = parser.parse_args()
    images = torch.empty(0)
    for step, spent, means, images in trained(asked):
        print(step, f"{spent:.0f} s", {name: round(value, 3) for name, value in means.items()}, flush=True)
        if asked.png:
            tiles = to_pictures(images[:48])
            save_picture(grid([tiles[i : i + 16] for i in range(0, 48, 16)]), asked.png)
    real = pictures("shapes", asked.size, HELD_OUT, alone=not asked.scenes, seed=9)
    judge = load("supervised", "cpu")
    made, true = (judge.features(within(x, *SIDES)) for x in (images, real))
    print("KID", kid_scores(made, true, 0), "distinct of 64:", distinct_images(made[:64], true[:64]))


if __name__ == "__main__":
    main()

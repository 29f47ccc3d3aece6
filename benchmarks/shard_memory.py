"""What each of several processes takes in memory to train, with and without weights that are shared out.

    MALLOC_MMAP_THRESHOLD_=65536 torchrun --nproc-per-node 2 benchmarks/shard_memory.py [shard]

Linux. docs/processes.md has what came of it.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import torch

from unclip.core import processes
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.models.ddpm import DDPM
from unclip.recipes.presets import PRESETS
from unclip.recipes.stages import DDPMRecipe
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer

STEPS = 3


def memory() -> str:
    """Of this process, now and at the peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    now, most = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) // 1024 for name in ("VmRSS", "VmHWM"))
    return f"{now} MB, {most} MB at the peak"


def main(shard: bool) -> None:
    torch.set_num_threads(1)
    batch, recipe = processes.count(), PRESETS["ddpm-cifar10"](32).of(DDPMRecipe)
    with initial_weights(0):
        model = DDPM(recipe.config(32, ()))
    images = Noise.shared(0).normal((batch, 3, 32, 32)).clamp(-1, 1)
    train = replace(recipe.train, batch=batch, steps=STEPS)

    def feed(step: int) -> Batch:
        return Batch(images=images[processes.share(batch)])

    trainer = Trainer(model, feed, train, Plan(steps=STEPS), 0, "float32", shard=shard)
    print(f"process {processes.rank()}, before: {memory()}", flush=True)
    for report in trainer.steps():
        print(f"process {processes.rank()}, step {report.step}: {memory()}", flush=True)


if __name__ == "__main__":
    with processes.joined():
        main("shard" in sys.argv[1:])

"""What a training step takes in memory: plain, in parts, and with blocks that are computed again.

    python benchmarks/train_memory.py

Each way in a process of its own, whose peak is told by the system. docs/training.md has what came of it.
"""

import multiprocessing
import resource
import time

import torch

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.models.ddpm import DDPM
from unclip.recipes.presets import PRESETS
from unclip.recipes.stages import DDPMRecipe
from unclip.training.gradients import ByThreads
from unclip.training.recompute import recomputing

WAYS = {"plain": (1, False), "in four parts": (4, False), "blocks computed again": (1, True)}
NETWORKS = {"ddpm-fast": 128, "ddpm-cifar10": 16}


def peak() -> int:
    """MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(preset: str, batch: int, parts: int, again: bool) -> None:
    torch.set_num_threads(1)
    model = DDPM(PRESETS[preset](32).of(DDPMRecipe).config(32, ()))
    images = Noise.shared(0).normal((batch, 3, 32, 32)).clamp(-1, 1)
    before, how = peak(), ByThreads(model, "float32", None, parts)
    with recomputing(model, again):
        for _ in range(2):
            start = time.process_time()
            how(Batch(images=images), [Noise.shared(1)])
            took = time.process_time() - start
    print(f"  {before} MB before, {peak()} MB at the peak, {took:.2f} CPU s a step")


def main() -> None:
    context = multiprocessing.get_context("spawn")
    for preset, batch in NETWORKS.items():
        for name, way in WAYS.items():
            print(f"{preset}, batch {batch}, {name}:", flush=True)
            process = context.Process(target=measure, args=(preset, batch, *way))
            process.start()
            process.join()


if __name__ == "__main__":
    main()

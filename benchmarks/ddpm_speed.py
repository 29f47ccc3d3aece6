"""Training images/s of the DDPM paper's network against the fast recipe's, on this machine in one run.

    python benchmarks/ddpm_speed.py [--batch 32] [--seconds 20] [--only train|sample] [--precision float32]

Each recipe trains as `unclip train` would (its own loss, optimiser, average and workers), but both with one batch, on
random images of 32 x 32; then one evaluation of the network as sampling does it. Medians after the first step.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from unclip.core import machine
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.models.classes import NO_CLASS
from unclip.models.ddpm import DDPM
from unclip.recipes.presets import ddpm_cifar10, ddpm_fast
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import DDPMRecipe
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer

CLASSES = tuple("abcdefghij")


def pictures(batch: int) -> Callable[[int], Batch]:
    """Random images of ten classes."""
    images = Noise.shared("pictures").uniform((batch, 3, 32, 32)) * 2 - 1
    return lambda step: Batch(images=images, labels=torch.arange(batch) % len(CLASSES))


def built(config: RunConfig) -> DDPM:
    """The recipe's model with first weights."""
    with initial_weights(0):
        return DDPM(config.of(DDPMRecipe).config(config.size, CLASSES)).to(machine.device())


def training(config: RunConfig, precision: str, seconds: float, batch: int) -> float:
    """Images/s, the median over the steps that fit, at least two after the first."""
    train = replace(config.of(DDPMRecipe).train, batch=batch)
    trainer = Trainer(built(config), pictures(batch), train, Plan(steps=10**9), 0, precision, config.workers)
    speeds, start = [], time.perf_counter()
    for report in trainer.steps():
        speeds.append(report.images_per_s)
        if len(speeds) >= 3 and time.perf_counter() - start > seconds:
            return statistics.median(speeds[1:])
    raise AssertionError("the plan has no end")


@torch.no_grad()
def sampling(config: RunConfig, precision: str, seconds: float, batch: int) -> float:
    """Evaluations of the network a second, times the batch."""
    model, device = built(config).eval(), machine.device()
    x, labels = torch.zeros(batch, 3, 32, 32, device=device), torch.full((batch,), NO_CLASS, device=device)
    denoise, level = model.denoiser(labels), torch.tensor(0.0, device=device)
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            denoise(x, level).x0.sum().item()
        times.append(time.perf_counter() - begin)
    return batch / statistics.median(times[1:])


def main() -> None:
    """Prints one Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", choices=("train", "sample"))
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    args = parser.parse_args()
    machine.prepare_memory()
    kinds, best = {"train": training, "sample": sampling}, machine.best_precision(machine.device())
    print(f"{machine.device()}, {torch.get_num_threads()} threads, batch {args.batch}, {time.strftime('%Y-%m-%d')}\n")
    print("| what | precision | ddpm-cifar10, images/s | ddpm-fast, images/s | ratio |\n|---|---|---|---|---|")
    for name in [args.only] if args.only else kinds:
        for precision in [args.precision] if args.precision else sorted({"float32", best}, reverse=True):
            speeds = (kinds[name](c, precision, args.seconds, args.batch) for c in (ddpm_cifar10(32), ddpm_fast(32)))
            slow, quick = speeds
            print(f"| {name} | {precision} | {slow:.2f} | {quick:.1f} | {quick / slow:.0f}x |", flush=True)


if __name__ == "__main__":
    main()

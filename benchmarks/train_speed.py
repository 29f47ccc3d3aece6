"""Images/s of each stage's training step and the share of the machine's matmul peak that it reaches.

    python benchmarks/train_speed.py [--size 32|64] [--batch N] [--steps 20]

FLOP are counted by torch on the real step (forward and backward); peak is the best of 1024 x 1024 matmuls in the same
precision on the same threads. Prints one Markdown row a stage; medians over the steps after a warm-up.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from unclip.core import machine
from unclip.core.noise import Noise
from unclip.data.prepare.write import prepare
from unclip.data.shapes.world import World
from unclip.recipes.context import Context
from unclip.recipes.presets import tiny
from unclip.recipes.stages import CLIPRecipe
from unclip.recipes.stages.base import build, recipe
from unclip.runs.folder import RunFolder
from unclip.text.tokenizer import Tokenizer
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer


def context(size: int, root: Path) -> Context:
    """A run on a small drawn world; CLIP has random weights, which costs the same."""
    config = replace(tiny(size), precision=machine.best_precision(), workers=min(2, torch.get_num_threads()))
    prepared = prepare(World(size, scenes=512), root / "data", size)
    tokenizer = Tokenizer.train([c for row in prepared.captions for c in row])
    ctx = Context(RunFolder(root), config, prepared, "cpu", config.precision)
    vars(ctx)["tokenizer"] = tokenizer
    clip = build(ctx, "clip").module.eval().requires_grad_(False)
    ctx.modules["clip"] = clip
    vars(ctx)["embeddings"] = torch.nn.functional.normalize(torch.ones(512, config.of(CLIPRecipe).width), dim=-1)
    return ctx


def measure(ctx: Context, name: str, steps: int, batch: int | None) -> str:
    """One Markdown row."""
    built = build(ctx, name)
    own = recipe(ctx, name).train
    train = replace(own, batch=batch or own.batch, steps=steps + 5)
    first = built.feed(0)
    with FlopCounterMode(display=False) as counter:
        built.module.loss(first, Noise.shared(0)).total.backward()  # pyright: ignore
    flop = counter.get_total_flops() / own.batch
    if batch:
        built.feed.source = replace(built.feed.source, batch=batch)  # pyright: ignore
    trainer = Trainer(built.module, built.feed, train, Plan(steps=steps + 5), 0, ctx.precision, ctx.config.workers)
    speed = statistics.median([r.images_per_s for r in trainer.steps()][5:])
    dtype = torch.bfloat16 if ctx.precision == "bfloat16" else torch.float32
    reached, peak = speed * flop / 1e12, machine.matmul_peak(dtype, seconds=1.0)
    millions = sum(p.numel() for p in built.module.parameters()) / 1e6
    cells = [name, f"{millions:.1f}M", train.batch, f"{flop / 1e9:.2f}", f"{speed:.0f}"]
    return f"| {' | '.join(map(str, cells))} | {reached:.3f} of {peak:.3f} | {reached / peak:.0%} |"


def main() -> None:
    """Measures all three stages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    machine.prepare_memory()
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(args.size, Path(folder))
        print(f"{args.size} px, {ctx.precision}, {torch.get_num_threads()} threads, {time.strftime('%Y-%m-%d')}")
        print("| stage | parameters | batch | GFLOP/image | images/s | TFLOP/s of peak | share |")
        print("|---|---|---|---|---|---|---|")
        for name in ("clip", "prior", "decoder"):
            print(measure(ctx, name, args.steps, args.batch), flush=True)


if __name__ == "__main__":
    main()

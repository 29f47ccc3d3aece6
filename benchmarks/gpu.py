"""Images/s, share of the matmul peak and memory of training steps, with compiled blocks and without, on this device.

    python benchmarks/gpu.py [--json FILE] [--seconds 12] [--only ddpm clip] [--sizes 32 64 256]  # a GPU, 10 minutes
    python benchmarks/gpu.py --short                                                              # a CPU, a minute

DDPM (the paper's network), CLIP and decoder (preset small) and an upsampler to that size, each trained by unclip's own
trainer: its loss, optimiser, average, pinned batches, bfloat16 where the device is faster in it. Batches are random.
FLOP are counted by torch on the real step, forward and backward; the peak is the best of square matmuls in the same
precision. Medians over the steps after a warm-up. A CPU compiles nothing, so its short form has one row a network.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unclip.clip.model import CLIP
from unclip.core import machine
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch, Task
from unclip.models.ddpm import DDPM
from unclip.models.decoder import Decoder
from unclip.models.upsampler import Upsampler
from unclip.recipes.presets import ddpm_cifar10, ddpm_fast, small, tiny
from unclip.recipes.stages import CLIPRecipe, DDPMRecipe, DecoderRecipe
from unclip.recipes.stages.upsampler import UpsamplerRecipe
from unclip.training.optim import OptimConfig
from unclip.training.plan import Plan
from unclip.training.trainer import TrainConfig, Trainer

BATCHES = {32: 256, 64: 128, 256: 16}
"""Side, px -> images of a batch on a GPU."""
LIMIT = 570.0
"""Seconds after which no further case is begun."""
WARM = 3
"""Steps before those that count: the first ones compile, and choose their kernels."""


@dataclass(frozen=True)
class Words:
    """What a tokenizer says of itself."""

    size: int = 4096
    context: int = 77


@dataclass(frozen=True)
class Row:
    """A case as it was measured. share: of the matmul peak; memory: the most that was held, MB; failed: why there is
    nothing else."""

    network: str
    size: int
    batch: int
    compiled: bool
    parameters: float = 0.0
    gflop: float = 0.0
    images_per_s: float = 0.0
    share: float = 0.0
    memory: float = 0.0
    failed: str = ""

    def line(self) -> str:
        """As a row in Markdown."""
        cells: list[object] = [self.network, self.size, self.batch, "yes" if self.compiled else "no"]
        if self.failed:
            return f"| {' | '.join(map(str, cells))} | {self.failed} | | | | |"
        cells += [f"{self.parameters / 1e6:.1f}M", f"{self.gflop:.2f}", f"{self.images_per_s:,.1f}"]
        return f"| {' | '.join(map(str, cells))} | {self.share:.0%} | {self.memory:,.0f} |"


HEAD = "| network | px | batch | compiled | parameters | GFLOP/image | images/s | of the peak | memory, MB |"


def ddpm(size: int, short: bool) -> tuple[Task, tuple[str, ...]]:
    """The task, and which parts of a batch it needs."""
    recipe = (ddpm_fast if short else ddpm_cifar10)(size).of(DDPMRecipe)
    return DDPM(recipe.config(size, ())), ("images",)


def clip(size: int, short: bool) -> tuple[Task, tuple[str, ...]]:
    """As above."""
    recipe = (tiny if short else small)(32 if size == 32 else 64).of(CLIPRecipe)
    return CLIP(recipe.config(size, Words())), ("images", "ids", "mask", "caption_id")


def decoder(size: int, short: bool) -> tuple[Task, tuple[str, ...]]:
    """As above."""
    config = (tiny if short else small)(32 if size == 32 else 64)
    own = config.of(CLIPRecipe).config(size, Words())
    made = Decoder(config.of(DecoderRecipe).config(size, own))
    made.statistics.fit(F.normalize(Noise.shared("embeddings").normal((64, own.width)), dim=1))
    return made, ("images", "ids", "mask", "image_embedding")


def upsampler(size: int, short: bool) -> tuple[Task, tuple[str, ...]]:
    """As above; from half the size, from 64 px to 256."""
    return Upsampler(UpsamplerRecipe(size=size).config(64 if size == 256 else size // 2)), ("images",)


NETWORKS: dict[str, Callable[[int, bool], tuple[Task, tuple[str, ...]]]] = {
    "ddpm": ddpm,
    "clip": clip,
    "decoder": decoder,
    "upsampler": upsampler,
}


def drawn(task: Task, parts: tuple[str, ...], size: int, rows: int) -> Batch:
    """A batch of random numbers."""
    noise, words = Noise.shared("batch"), Words()
    width = task.config.embedding_width if isinstance(task, Decoder) else 1
    every = {
        "images": noise.uniform((rows, 3, size, size)) * 2 - 1,
        "ids": noise.integers(words.size, (rows, words.context)),
        "mask": torch.ones(rows, words.context, dtype=torch.bool),
        "caption_id": torch.arange(rows),
        "image_embedding": F.normalize(noise.normal((rows, width)), dim=1),
    }
    return Batch(**{name: every[name] for name in parts})


def measured(case: Row, asked: argparse.Namespace, precision: str, peak: float) -> Row:
    """The case with its figures."""
    place = torch.device(machine.device())
    with initial_weights(case.network):
        task, parts = NETWORKS[case.network](case.size, asked.short)
    assert isinstance(task, nn.Module)
    task.to(place)
    batch = drawn(task, parts, case.size, case.batch)
    with FlopCounterMode(display=False) as counter:
        task.loss(batch.to(place), Noise.shared(0, device=place)).total.backward()
    task.zero_grad(set_to_none=True)
    flop = counter.get_total_flops() / case.batch
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    config = TrainConfig(case.batch, OptimConfig(lr=1e-5, warmup=1))
    trainer = Trainer(task, lambda step: batch, config, Plan(steps=10**9), 0, precision, compile=case.compiled)
    speed = statistics.median(speeds(trainer, asked.seconds))
    memory = torch.cuda.max_memory_allocated() if place.type == "cuda" else 1024 * resource.getrusage(0).ru_maxrss
    return replace(
        case,
        parameters=sum(p.numel() for p in task.parameters()),
        gflop=flop / 1e9,
        images_per_s=speed,
        share=speed * flop / 1e12 / peak,
        memory=memory / 1e6,
    )


def speeds(trainer: Trainer, seconds: float) -> list[float]:
    """Images/s of the steps that fit, two at least."""
    found, began = list[float](), 0.0
    for report in trainer.steps():
        if report.step == WARM:
            began = time.monotonic()
        if report.step > WARM:
            found.append(report.images_per_s)
            if len(found) >= 2 and time.monotonic() - began > seconds:
                return found
    raise AssertionError("the plan has no end")


def cases(asked: argparse.Namespace, gpu: bool) -> Iterator[Row]:
    """What is to be measured, smallest first."""
    for size in asked.sizes:
        for network in asked.only:
            for compiled in (False, True) if gpu else (False,):
                yield Row(network, size, 2 if asked.short else BATCHES.get(size, 16), compiled)


def main() -> int:
    """Prints a table, and writes it as JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="small networks, two images, 32 px")
    parser.add_argument("--seconds", type=float, help="of each case after its warm-up")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--json", type=Path)
    asked, began = parser.parse_args(), time.monotonic()
    asked.seconds = asked.seconds if asked.seconds is not None else 0.0 if asked.short else 12.0
    asked.sizes = asked.sizes or ([32] if asked.short else [32, 64, 256])
    machine.prepare_memory()
    where, gpu = machine.device(), machine.device().startswith("cuda")
    precision = machine.best_precision(where)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    peak = machine.matmul_peak(dtype, where, 8192 if gpu else 512, 1.0)
    device = torch.cuda.get_device_name() if gpu else f"{torch.get_num_threads()} threads of a CPU"
    print(f"{device}, torch {torch.__version__}, {precision}, peak {peak:.3g} TFLOP/s, {time.strftime('%Y-%m-%d')}\n")
    print(HEAD + "\n" + "|---" * HEAD.count(" | ") + "|---|", flush=True)
    rows = list[Row]()
    for case in cases(asked, gpu):
        if time.monotonic() - began > LIMIT:
            rows.append(replace(case, failed="no time was left"))
        else:
            try:
                rows.append(measured(case, asked, precision, peak))
            except torch.OutOfMemoryError:
                rows.append(replace(case, failed="does not fit into memory"))
        print(rows[-1].line(), flush=True)
    if asked.json:
        about = {"device": device, "torch": torch.__version__, "precision": precision, "peak_tflops": peak}
        asked.json.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1), encoding="utf-8")
    return int(all(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())

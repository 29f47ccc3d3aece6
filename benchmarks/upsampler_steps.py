"""An upsampler in few steps: held-out images made small, enlarged again from the same seeds.

    python benchmarks/upsampler_steps.py RUN [--stage upsampler2] [-n 128] [--picture OUT.png] [--json OUT.json]

RUN: a finished run with an upsampler, and the larger images that it learned from. For each number of steps:
seconds of processor time an image; PSNR and consistency (dB) and sharpness (of the data's), and less those of the
upsampler's own steps, paired over images, each with its standard error (sharpness: jackknife); KID of the images'
quarters, which the judges see without shrinking them, and its paired difference.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

import unclip
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.data.images.resize import enlarge, shrink
from unclip.data.loader import to_tensor
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.sets.paired import kid_difference
from unclip.generation.upsampling import Enlarger, upsampled
from unclip.images.fidelity import psnr
from unclip.images.files import grid, to_pictures
from unclip.judges.shipped import load
from unclip.recipes.api.judged_data import larger
from unclip.runs.folder import RunFolder

FEW = (12, 1, 2, 3, 4, 6, 8)
JUDGES = ("supervised", "self-supervised")
SHOWN = 8


def held_out(run: Path, stage: Enlarger, n: int) -> Images:
    """Images at the upsampler's size: of the test, then of validation."""
    found = list[Images]()
    for split in ("test", "validation"):
        with larger(RunFolder(run), None, stage.size, split) as (prepared, rows):
            found.append(to_tensor(prepared.images[rows]))
    return torch.cat(found)[:n]


def ways(stage: Enlarger) -> dict[str, Enlarger]:
    """How it can draw; its own steps first."""
    own = stage.sampling.steps
    return {f"{n} steps": replace(stage, steps=n) for n in (own, *(n for n in FEW if n != own))}


def edges(x: Images) -> PerSample:
    """Mean squared difference of neighbours of each image."""
    return (x.diff(dim=-1).square().flatten(1).mean(1) + x.diff(dim=-2).square().flatten(1).mean(1)).double()


def jackknife(statistic: Callable[[Tensor], float], n: int) -> tuple[float, float]:
    """A statistic of the rows that are kept, and its standard error."""
    every = torch.arange(n)
    left = torch.tensor([statistic(every[every != i]) for i in range(n)], dtype=torch.float64)
    return statistic(every), ((n - 1) / n * (left - left.mean()).square().sum()).sqrt().item()


def quarters(x: Images) -> Images:
    """The four quarters of each image, as images."""
    half = x.shape[-1] // 2
    return torch.cat([x[..., i : i + half, j : j + half] for i in (0, half) for j in (0, half)])


def figures(made: Images, base: Images, real: Images, low: Images) -> dict[str, float]:
    """All but the judges'. base: the upsampler's own, [n, 3, h, w]."""
    n, row, truth = len(real), dict[str, float](), edges(real)
    for name, score in (("psnr", lambda x: psnr(x, real)), ("consistency", lambda x: psnr(_small(x, low), low))):
        less = score(made) - score(base)
        row |= {name: score(made).mean().item(), f"{name} difference": less.mean().item()}
        row[f"{name} error"] = (less.std() / n**0.5).item()
    a, b = edges(made), edges(base)
    row["sharpness"] = (a.sum() / truth.sum()).sqrt().item()
    row["sharpness difference"], row["sharpness error"] = jackknife(
        lambda i: ((a[i].sum() / truth[i].sum()).sqrt() - (b[i].sum() / truth[i].sum()).sqrt()).item(), n
    )
    return row


def _small(x: Images, low: Images) -> Float[Tensor, "n c h2 w2"]:
    return shrink(x, x.shape[-1] // low.shape[-1])


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--stage", default="upsampler")
    parser.add_argument("-n", type=int, default=128)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    model = unclip.load(asked.run)
    assert isinstance(model, unclip.TextToImage)
    [stage] = [found for found in model.enlargers if found.name == asked.stage]
    real = held_out(asked.run, stage, asked.n)
    low, judges = shrink(real, stage.model.config.factor), {name: load(name) for name in JUDGES}
    true = {name: judge.features(quarters(real)) for name, judge in judges.items()}
    table, made = dict[str, dict[str, float]](), dict[str, Images]()
    ids, base_features = [str(i) for i in range(len(real))] * 4, dict[str, Tensor]()
    for way, by in {"bicubic": None, **ways(stage)}.items():
        began = time.process_time()
        images = enlarge(low, stage.model.config.factor) if by is None else upsampled([by], low, range(len(low)))
        made[way], took = images.clamp(-1, 1), (time.process_time() - began) / len(low)
        if way == "bicubic":
            continue
        base = next(x for name, x in made.items() if name != "bicubic")
        table[way] = {"ms": 1000 * took, **figures(made[way], base, real, low)}
        for name, judge in judges.items():
            seen = judge.features(quarters(made[way]))
            base_features.setdefault(name, seen)
            table[way][f"{name} KID"] = kid_scores(seen, true[name], seed=1)["mean"]
            if len(table) > 1:
                less = kid_difference(seen, base_features[name], true[name], ids)
                table[way] |= {f"{name} difference": less.value, f"{name} error": less.error}
        print(way, {key: round(value, 4) for key, value in table[way].items()}, flush=True)
    print("bicubic", {k: round(v, 4) for k, v in figures(made["bicubic"], base, real, low).items()})
    if asked.picture:
        rows = zip(*(to_pictures(x[:SHOWN]) for x in (real, *made.values())), strict=True)
        grid([list(row) for row in rows], zoom=2, heads=["real", *made]).save(asked.picture)
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

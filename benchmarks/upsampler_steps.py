"""An upsampler in few steps: held-out images made small, enlarged again from the same seeds.

    python benchmarks/upsampler_steps.py RUN [--stage upsampler2] [-n 128] [--picture OUT.png] [--json OUT.json]

RUN: a finished run with an upsampler, and the larger images that it learned from. For each number of steps: processor
time an image, ms; PSNR and consistency (dB) and sharpness (of the data's), and less those of 12 steps, paired over
images, each with its standard error (sharpness: jackknife); KID of the images' quarters, which the judges see without
shrinking them, and its paired difference.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch

import unclip
from unclip.core.typing import Float, Images, Tensor
from unclip.data.images.resize import enlarge, shrink
from unclip.data.loader import to_tensor
from unclip.evaluation.fidelity.texture import sharpness
from unclip.evaluation.sets.estimate import jackknife_error
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.sets.paired import kid_difference
from unclip.generation.upsampling import Enlarger, upsampled
from unclip.images.fidelity import psnr
from unclip.images.files import grid, to_pictures
from unclip.judges.shipped import load
from unclip.recipes.api.judged_data import larger
from unclip.runs.folder import RunFolder

STEPS = (12, 8, 6, 4, 3, 2, 1)
"""What is drawn in; differences are from the first."""
JUDGES = ("supervised", "self-supervised")
SHOWN = 8


def held_out(run: Path, stage: Enlarger, n: int) -> Images:
    """Images at the upsampler's size: of the test, then of validation."""
    found = list[Images]()
    for split in ("test", "validation"):
        with larger(RunFolder(run), None, stage.size, split) as (prepared, rows):
            found.append(to_tensor(prepared.images[rows]))
    return torch.cat(found)[:n]


def quarters(x: Images) -> Images:
    """The four quarters of each image, as images."""
    half = x.shape[-1] // 2
    return torch.cat([x[..., i : i + half, j : j + half] for i in (0, half) for j in (0, half)])


def figures(made: Images, base: Images, real: Images, low: Images) -> dict[str, float]:
    """All but the judges'. base: what differences are taken from, [n, 3, h, w]."""
    n, row = len(real), {"sharpness": sharpness(made) / sharpness(real)}
    for name, score in (("psnr", lambda x: psnr(x, real)), ("consistency", lambda x: psnr(_small(x, low), low))):
        less = score(made) - score(base)
        row |= {name: score(made).mean().item(), f"{name} difference": less.mean().item()}
        row[f"{name} error"] = (less.std() / n**0.5).item()
    row["sharpness difference"] = row["sharpness"] - sharpness(base) / sharpness(real)
    others = [torch.arange(n) != i for i in range(n)]
    left_out = [(sharpness(made[rest]) - sharpness(base[rest])) / sharpness(real[rest]) for rest in others]
    return row | {"sharpness error": jackknife_error(left_out)}


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
    table, made = dict[str, dict[str, float]](), {"bicubic": enlarge(low, stage.model.config.factor).clamp(-1, 1)}
    ids, own = [str(i) for i in range(len(real))] * 4, dict[str, Tensor]()
    for steps in STEPS:
        began, way = time.process_time(), f"{steps} steps"
        made[way] = upsampled([replace(stage, steps=steps)], low, range(len(low)))
        base = made[f"{STEPS[0]} steps"]
        table[way] = {"ms": 1000 * (time.process_time() - began) / len(low), **figures(made[way], base, real, low)}
        for name, judge in judges.items():
            seen = judge.features(quarters(made[way]))
            own.setdefault(name, seen)
            table[way][f"{name} KID"] = kid_scores(seen, true[name], seed=1)["mean"]
            if len(table) > 1:
                less = kid_difference(seen, own[name], true[name], ids)
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

"""Fewer steps, and which sampler takes them: the same prompts and seeds as the run's own sampling draws.

    python benchmarks/few_steps.py RUN --data RUN2 [-n 256] [--samplers NAME ...] [--json OUT.json]

RUN: a finished run of any kind that denoises, or box:NAME. --data: a run whose held-out images (then those of its
training) are the real ones, and whose captions are the prompts; by default RUN itself. For each way to draw:
milliseconds an image, KID by both judges, and less that of the run's own sampling, paired over prompts and seeds, each
with its standard error; the power of the finest octave and of the two below it over the data's (grain, blur).
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import unclip
from unclip.box.shipped import find
from unclip.core.typing import Images
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.read import load_prepared
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.sets.paired import kid_difference
from unclip.evaluation.sets.spectrum import spectrum
from unclip.generation.base import ImageModel
from unclip.judges.shipped import load
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.runs.folder import RunFolder

ASKED = {"ancestral": (12, 50), "dpmpp-2m": (8, 12, 16), "dpmpp-2m-sde": (8, 12, 16), "unipc": (8, 12)}
BATCH = 32


def real_images(data: Path, n: int, size: int) -> tuple[list[str], Images]:
    """Captions of held-out images first, and up to four times as many images."""
    folder = RunFolder(data)
    prepared = load_prepared(folder.data)
    splits = splits_of(folder, prepared, stored_config(folder.settings))
    rows = [*splits.test, *splits.validation, *splits.train]
    captions = [prepared.captions[row][0] for row in rows[:n]]
    if prepared.size != size:
        raise SystemExit(f"{data}: images of {prepared.size} px, the model draws {size}")
    return captions, to_tensor(select_rows(prepared.images, np.array(rows[: 4 * n]), 3))


def drawn(model: ImageModel, prompts: Sequence[str], how: unclip.Settings) -> tuple[Images, float]:
    """Images in [-1, 1], and milliseconds of one in a batch."""
    began, parts = time.perf_counter(), list[Images]()
    for i in range(0, len(prompts), BATCH):
        some = prompts[i : i + BATCH]
        parts.append(model.sample_images(some, range(i, i + len(some)), how).float().clamp(-1, 1))
    return torch.cat(parts), 1000 * (time.perf_counter() - began) / len(prompts)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", type=Path)
    parser.add_argument("-n", type=int, default=256)
    parser.add_argument("--samplers", nargs="+", choices=ASKED, default=[*ASKED])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    model = unclip.load(asked.run)
    captions, real = real_images(asked.data or find(asked.run), asked.n, model.size)
    named = isinstance(model, unclip.TextToImage) or bool(getattr(model, "classes", ()))
    judges = {name: load(name) for name in ("supervised", "self-supervised")}
    true = {name: judge.features(real) for name, judge in judges.items()}
    base, table = dict[str, torch.Tensor](), dict[str, dict[str, float]]()
    ways = {"its own": unclip.Settings()}
    ways |= {f"{by}, {n}": unclip.Settings(steps=n, sampler=by) for by in asked.samplers for n in ASKED[by]}
    for way, how in ways.items():
        images, took = drawn(model, captions if named else [""] * asked.n, how)
        made = {name: judge.features(images) for name, judge in judges.items()}
        base = base or made
        power, row = spectrum(images, real), {"ms": took, "steps": model.resolved(how).steps}
        row |= {"grain": power.grain.value, "blur": power.blur.value}
        for name in judges:
            score = kid_scores(made[name], true[name], seed=1)
            row |= {f"{name} KID": score["mean"], f"{name} error": score["error"]}
            if way != "its own":
                less = kid_difference(made[name], base[name], true[name], [str(i) for i in range(asked.n)])
                row |= {f"{name} difference": less.value, f"{name} paired error": less.error}
        table[way] = row
        print(way, {key: round(value, 3) for key, value in row.items()}, flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

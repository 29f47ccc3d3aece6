"""Where sampling takes its last step: the same seeds, drawn to several ends of the noise levels.

    python benchmarks/last_step.py RUN [-n 256] [--steps N] [--sampler NAME] [--json OUT.json]

RUN: a finished run of EDM's schedule, with its images. For each s = sigma/alpha from which the last step leads to the
estimated clean image: roughness, as a multiple of that of held-out images; KID to them by judges that no run has
trained, and less that of the first s, paired over images, each with its standard error.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import unclip
from unclip.core.typing import Images, Tensor
from unclip.data.loader import to_tensor
from unclip.diffusion.grids import KarrasSteps
from unclip.evaluation.fidelity.texture import roughness
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.sets.paired import kid_difference
from unclip.judges.shipped import load
from unclip.recipes.api.judged_data import judged_on
from unclip.runs.folder import RunFolder

LAST = (0.01, 0.03, 0.1, 0.2)
"""s of the last step; differences are from the first."""
JUDGES = ("supervised", "self-supervised")


def held_out(run: Path, size: int, n: int) -> tuple[Images, list[str]]:
    """Images that the run was not trained on, of the test, then of validation, and a caption of each."""
    images, captions = list[Images](), list[str]()
    for split in ("test", "validation"):
        with judged_on(RunFolder(run), None, size, split, captioned=True) as (prepared, rows):
            images.append(to_tensor(prepared.images[rows]))
            captions += [prepared.captions[row][0] for row in rows]
    return torch.cat(images)[:n], captions[:n]


def drawn(model: unclip.ImageModel, captions: list[str], how: unclip.Settings) -> Images:
    """An image a caption, or as many of a model that reads none."""
    if isinstance(model, unclip.TextToImage):
        pictures = model.generate(captions, seed=1, settings=how)
    else:
        pictures = model.generate(n=len(captions), seed=1, settings=how)
    return torch.stack([to_tensor(np.asarray(picture)[None])[0] for picture in pictures])


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-n", type=int, default=256)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sampler")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    model = unclip.load(asked.run)
    real, captions = held_out(asked.run, model.size, asked.n)
    judges = {name: load(name) for name in JUDGES}
    true = {name: judge.features(real) for name, judge in judges.items()}
    table, own = dict[str, dict[str, float]](), dict[str, Tensor]()
    for last in LAST:
        how = unclip.Settings(steps=asked.steps, sampler=asked.sampler, grid=KarrasSteps(s_min=last))
        made = drawn(model, captions, how)
        table[str(last)] = {"roughness": roughness(made) / roughness(real)}
        for name, judge in judges.items():
            seen = judge.features(made)
            less = kid_difference(seen, own.setdefault(name, seen), true[name], [str(i) for i in range(len(real))])
            kid = kid_scores(seen, true[name], seed=1)
            table[str(last)] |= {f"{name} KID": kid["mean"], f"{name} KID error": kid["error"]}
            table[str(last)] |= {f"{name} difference": less.value, f"{name} difference error": less.error}
        print(last, {key: round(value, 3) for key, value in table[str(last)].items()}, flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

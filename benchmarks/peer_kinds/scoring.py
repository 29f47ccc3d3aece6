"""All pictures there are against the held-out ones, by the shipped judges; and a sheet of the last ones."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from unclip import judges
from unclip.core.noise import Noise
from unclip.data.loader import to_tensor
from unclip.evaluation.sets.frechet import GROUPS, frechet
from unclip.evaluation.sets.kernel import kid_scores
from unclip.images.files import grid, to_pictures
from unclip.judges.judge import Judge
from unclip.judges.shipped import TRAINED

from .drawing import DRAWN
from .protocol import Job

SHOWN = 16
"""Pictures in a row of the sheet."""
Row = dict[str, Any]


def score(job: Job, out: Path) -> dict[str, Any]:
    """Judges (by name, their hash), the floor (training images) and a row for each set of pictures."""
    real = to_tensor(job.prepared.images[job.splits.test])
    chosen = np.random.default_rng(job.seed).permutation(job.splits.train)[:DRAWN]
    sets = {judge: judge.features(real) for judge in map(judges.load, TRAINED)}

    def by_judges(images: np.ndarray) -> Row:
        x = to_tensor(images)
        return {judge.name: distances(judge, judge.features(x), there, job.seed) for judge, there in sets.items()}

    rows: list[Row] = []
    for place in sorted(path.parent for path in out.glob("*/record.json")):
        name, setting = place.name.rsplit("-", 1)
        record = json.loads((place / "record.json").read_text(encoding="utf-8"))
        pictures = list(_pictures(place, by_judges))
        rows.append({"peer": name, "setting": setting, "record": record, "pictures": pictures})
    return {
        "judges": {judge.name: judge.hash for judge in sets},
        "held_out": len(real),
        "floor": by_judges(job.prepared.images[np.sort(chosen)]),
        "peers": rows,
    }


def _pictures(place: Path, by_judges: Callable[[np.ndarray], Row]) -> Iterator[Row]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (place / "pictures").glob("*.json")]
    for about in sorted(found, key=lambda row: (row["minutes"], row["steps"])):
        images = place / "pictures" / f"{about['minutes']:.3g}-{about['steps']}.npy"
        yield {**about, **(by_judges(np.load(images)) if images.exists() else {})}


def distances(judge: Judge, made: Tensor, real: Tensor, seed: int) -> Row:
    """KID with its error; Frechet distance, and extrapolated, where there are more images than features."""
    scores: Row = {"kid": kid_scores(made, real, seed)}
    if min(len(made), len(real)) > max(GROUPS, made.shape[1]):
        found = frechet(made, real, Noise.shared(seed, "frechet", judge.name))
        scores["frechet"] = {"value": found.value, "infinite": found.infinite.figure(), "n": found.n, "m": found.m}
    return scores


def sheet(job: Job, out: Path, found: dict[str, Any]) -> Image.Image:
    """A row of held-out images, and one of the first pictures of each peer at each mark."""
    rows = {"held out": job.prepared.images[job.splits.test[:SHOWN]]}
    for row in found["peers"]:
        for p in row["pictures"]:
            images = out / f"{row['peer']}-{row['setting']}" / "pictures" / f"{p['minutes']:.3g}-{p['steps']}.npy"
            if images.exists() and p["steps"] == row["record"]["sampling"]:
                rows[f"{row['peer']} {row['setting']}, {p['minutes']:g} min"] = np.load(images)[:SHOWN]
    return grid([to_pictures(to_tensor(images)) for images in rows.values()], [*rows])

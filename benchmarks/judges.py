"""Checks of the judges, as docs/judges.md shows them: does a distance in their features grow with every fault?

    python benchmarks/judges.py --data FOLDER [--ladder FOLDER] [--judges supervised self-supervised random PATH ...]
                                [--cache FOLDER] [--plots FOLDER]

FOLDER holds emoji/ (images with captions) and cifar10/ (Parquet); the drawn shapes need no file. --ladder: a folder
DATA-32-ddpm/{2m,8m,32m}.npy of samples, uint8 [n, 32, 32, 3], for DATA of emoji, cifar10, shapes; what is missing is
left out. Exit code 1 where a judge other than `random` fails a check.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from judge_sets import EACH, FAULTS, DataSet, blurred, data_sets, noise_like, shuffled

from unclip import judges
from unclip.core.noise import Noise, derive
from unclip.data.loader import to_pixels, to_tensor
from unclip.evaluation.sets.frechet import frechet_distance
from unclip.evaluation.sets.kernel import kid
from unclip.judges.procedural import scenes

ORDERS = 6
Features = Callable[[torch.Tensor], torch.Tensor]
NOISES = {"noise of its colours": 0.0, "1/f noise of its colours": 2.0}
BLURS = (1.0, 2.5, 4.0, 6.0)
SEEN = 2.5
"""Up to this blur one can still tell something of what is shown, so noise of any spectrum has to be farther."""
HEAVY = f"blur {BLURS[-1]:g}"
LADDERS = {
    "emoji 32": ("32m", "8m", "2m", HEAVY, "noise"),
    "cifar10 32": ("32m", "8m", HEAVY, "2m or noise"),
    "shapes 32": ("32m", "8m", HEAVY, "2m", "noise"),
}
"""The rungs as a person ranks them who looks at the pictures, from good to bad. What a DDPM draws after 2 minutes of
CIFAR-10 is noise, which nobody can rank against other noise: the nearer of the two counts. Of drawn shapes it draws
spots of many colours on grain, where a blur of 6 px still tells colour and place. Of emoji it draws grainy outlines, of
which that blur leaves nothing."""


@dataclass
class Row:
    """A check: its name, (KID, Frechet) of each step, and whether it passed."""

    data: str
    name: str
    steps: list[str]
    kid: list[float]
    frechet: list[float]
    passed: tuple[bool, ...]


def grows(values: list[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


class Distances:
    """Distances of sets of images to the reference of a data set."""

    def __init__(self, features: Features, data: DataSet) -> None:
        self.features, self.data, self.reference = features, data, features(data.reference)

    def __call__(self, images: torch.Tensor) -> tuple[float, float]:
        return self.of(self.features(images))

    def of(self, found: torch.Tensor) -> tuple[float, float]:
        return kid(found, self.reference), frechet_distance(found, self.reference)

    def row(self, name: str, steps: list[str], values: Iterable[tuple[float, float]]) -> Row:
        kids, frechets = zip(*values, strict=True)
        return Row(self.data.name, name, steps, [*kids], [*frechets], (grows([*kids]), grows([*frechets])))


def check(features: Features, data: DataSet, ladder: Path | None) -> list[Row]:
    """Every check on one data set; each row begins with others of the same source, the floor."""
    distances = Distances(features, data)
    rows, floor = [], distances(data.plain)
    for name, (fault, strengths) in FAULTS.items():
        rows.append(
            distances.row(
                name,
                ["real", *(f"{s:g}" for s in strengths)],
                [floor, *(distances(fault(data.plain, s)) for s in strengths)],
            )
        )
    rows.append(dropped(distances))
    rows.append(noise_against_blur(distances, floor))
    if ladder is not None and (row := rungs(distances, ladder, floor)):
        rows.append(row)
    return rows


def noise_against_blur(distances: Distances, floor: tuple[float, float]) -> Row:
    """Noise of the pixels' colours is farther than every blur, noise of a natural spectrum than what is still seen."""
    data = distances.data
    values = [floor, *(distances(blurred(data.plain, s)) for s in BLURS)]
    names = ["real", *(f"blur {s:g}" for s in BLURS), *NOISES]
    row = distances.row(
        "noise against blur", names, [*values, *(distances(noise_like(data.plain, e)) for e in NOISES.values())]
    )
    blurs = {name: place for place, name in enumerate(names) if name.startswith("blur")}
    mild = [place for name, place in blurs.items() if float(name.split()[1]) <= SEEN]
    white, pink = len(names) - 2, len(names) - 1
    row.passed = tuple(
        v[white] > max(v[i] for i in (0, *blurs.values())) and v[pink] > max(v[i] for i in mild)
        for v in (row.kid, row.frechet)
    )
    return row


def dropped(distances: Distances) -> Row:
    """Fewer and fewer groups, each time as many images; the mean over `ORDERS` random orders of dropping them."""
    data, means = distances.data, []
    features = distances.features(data.others)
    for kept in data.kept:
        found = []
        for order in range(ORDERS):
            chosen = shuffled(data.kept[0], f"order {order}")[:kept]
            rows = np.flatnonzero(np.isin(data.groups, chosen))
            picked = np.random.default_rng(derive("judges", "kept", kept, order)).integers(len(rows), size=EACH)
            found.append(distances.of(features[torch.from_numpy(rows[picked])]))
        means.append(tuple(np.mean(found, axis=0).tolist()))
    return distances.row("groups kept", [str(k) for k in data.kept], means)


def rungs(distances: Distances, ladder: Path, floor: tuple[float, float]) -> Row | None:
    """From real images over samples of three ages of a DDPM and a heavy blur to noise, as `LADDERS` ranks them."""
    data = distances.data
    sets = {HEAVY: blurred(data.plain, BLURS[-1]), "noise": noise_like(data.plain, 0.0)}
    for age in ("2m", "8m", "32m"):
        file = ladder / f"{data.name.split()[0]}-32-ddpm" / f"{age}.npy"
        if file.exists():
            sets[age] = to_tensor(np.load(file))
    values = {name: distances(images) for name, images in sets.items()}
    if "2m" in values:
        values["2m or noise"] = tuple(map(min, values["2m"], values["noise"]))
    names = [name for name in LADDERS.get(data.name, ()) if name in values]
    return distances.row("ladder", ["real", *names], [floor, *(values[n] for n in names)]) if len(names) > 2 else None


def table(rows: list[Row]) -> str:
    lines = ["| data | check | | " + "steps |", "|---|---|---|---|"]
    for row in rows:
        for name, values, passed in zip(("KID", "Fréchet"), (row.kid, row.frechet), row.passed, strict=True):
            told = ", ".join(f"{s} {v:.3g}" for s, v in zip(row.steps, values, strict=True))
            lines.append(f"| {row.data} | {row.name} | {name}: {'yes' if passed else '**no**'} | {told} |")
    return "\n".join(lines)


def strip(images: torch.Tensor, columns: int) -> np.ndarray:
    """Images beside each other, uint8 [rows h, columns w, 3]."""
    pixels = to_pixels(images)
    n, h, w, _ = pixels.shape
    return pixels.reshape(n // columns, columns, h, w, 3).transpose(0, 2, 1, 3, 4).reshape(-1, columns * w, 3)


def plot_scenes(path: Path) -> None:
    """What the judges are trained on: above as drawn, below damaged."""
    import matplotlib.pyplot as plt

    drawn = [scenes.draw(60, 32, Noise.shared(0, "page"), faulty=faulty).images for faulty in (0.0, 1.0)]
    figure, panels = plt.subplots(2, 1, figsize=(9, 3.7), layout="constrained")
    for panel, images, title in zip(panels, drawn, ("as drawn", "the same, damaged"), strict=True):
        panel.imshow(strip(images, 20), interpolation="nearest")
        panel.set_title(title, fontsize=9)
        panel.axis("off")
    figure.savefig(path, dpi=120)


def plot_rows(path: Path, found: dict[str, list[Row]]) -> None:
    """Every judge's distances by step of each check, one line a data set, divided by that of the last step."""
    import matplotlib.pyplot as plt

    checks = [*FAULTS, "groups kept", "ladder"]
    figure, panels = plt.subplots(
        len(found), len(checks), figsize=(13, 2.4 * len(found)), layout="constrained", sharey=True, squeeze=False
    )
    sources = list(dict.fromkeys(row.data for rows in found.values() for row in rows))
    for line, (judge, rows) in zip(panels, found.items(), strict=True):
        for panel, name in zip(line, checks, strict=True):
            for row in (r for r in rows if r.name == name):
                values = np.array(row.frechet) / max(row.frechet)
                colour = f"C{sources.index(row.data)}"  # one source, one colour, also where a check lacks a source
                panel.plot(np.linspace(0, 1, len(values)), values, marker=".", label=row.data, color=colour)
            panel.set_title(f"{judge}: {name}", fontsize=8)
            panel.set_yscale("log")
            panel.set_xticks([0, 1], ["real", "worst"])
    panels[0][0].legend(fontsize=7)
    panels[0][0].set_ylabel("Fréchet distance / worst", fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ladder", type=Path)
    parser.add_argument("--judges", nargs="+", default=["supervised", "self-supervised", "random"])
    parser.add_argument("--cache", type=Path, default=Path("judges-cache"))
    parser.add_argument("--plots", type=Path)
    told = parser.parse_args()
    torch.set_grad_enabled(False)
    sets, failed, found = data_sets(told.data, told.cache), 0, {}
    for name in told.judges:
        judge = judges.load(name)
        rows = [row for data in sets for row in check(judge.features, data, told.ladder)]
        found[name] = rows
        bad = sum(not p for row in rows for p in row.passed)
        print(
            f"\n## {judge.name} ({judge.hash[:12]})\n\n{table(rows)}\n\n{bad} of {2 * len(rows)} checks fail",
            flush=True,
        )
        failed += bad if judge.name != "random" else 0
    if told.plots is not None:
        told.plots.mkdir(parents=True, exist_ok=True)
        plot_scenes(told.plots / "judges-scenes.png")
        plot_rows(told.plots / "judges-checks.png", found)
    sys.exit(int(failed > 0))


if __name__ == "__main__":
    main()

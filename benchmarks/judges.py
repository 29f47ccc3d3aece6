"""Checks of the judges, as docs/judges.md shows them: does a distance in their features grow with every fault?

    python benchmarks/judges.py --data FOLDER [--ladder FOLDER] [--judges random PATH ...]
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
import torch.nn.functional as F

from unclip import judges
from unclip.core.noise import Noise, derive
from unclip.data import World, open_source, to_tensor
from unclip.data.degradation.blur import filtered, gaussian
from unclip.data.degradation.jpeg import compressed
from unclip.data.images.decode import decode
from unclip.evaluation.sets.frechet import frechet_distance
from unclip.evaluation.sets.kernel import kid
from unclip.judges.shipped import SHIPPED

EACH = 512
"""Images of each set that is compared with the reference."""
REFERENCE = 1024
ORDERS = 6
Features = Callable[[torch.Tensor], torch.Tensor]


@dataclass
class DataSet:
    """Images of one source in two halves; groups: number of the class or mode of each of `others`."""

    name: str
    reference: torch.Tensor
    others: torch.Tensor
    groups: np.ndarray
    kept: tuple[int, ...]

    @property
    def plain(self) -> torch.Tensor:
        return self.others[:EACH]


# ------------------------------------------------------------------ data


def shuffled(n: int, name: str) -> np.ndarray:
    return np.random.default_rng(derive("judges", name)).permutation(n)


def read(path: Path, size: int, most: int, cache: Path) -> tuple[np.ndarray, list[str]]:
    """Pixels uint8 [n, size, size, 3] and first captions of a data set, kept in `cache` for the next time."""
    kept = cache / f"{path.parent.name}-{path.name.split('.')[0]}-{size}.npz"
    if not kept.exists():
        items = [item for item in itertools.islice(open_source(path), most) if item.captions]
        pixels = np.stack([decode(item.read(), size) for item in items])
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, pixels=pixels, captions=np.array([item.captions[0] for item in items]))
    found = np.load(kept)
    return found["pixels"], [str(c) for c in found["captions"]]


def modes(images: torch.Tensor, count: int) -> np.ndarray:
    """Clusters of the images by k-means on 8 x 8 px, no judge's features: number of the cluster of each."""
    x = F.adaptive_avg_pool2d(images, 8).flatten(1)
    centers = x[torch.from_numpy(shuffled(len(x), "modes")[:count])]
    for _ in range(20):
        nearest = torch.cdist(x, centers).argmin(1)
        centers = torch.stack([x[nearest == k].mean(0) if (nearest == k).any() else centers[k] for k in range(count)])
    sizes = torch.bincount(nearest, minlength=count)
    rank = torch.empty(count, dtype=torch.long)
    rank[sizes.argsort(descending=True)] = torch.arange(count)  # the largest is dropped last
    return rank[nearest].numpy()


def halves(name: str, images: torch.Tensor, groups: np.ndarray | int, kept: tuple[int, ...]) -> DataSet:
    order = torch.from_numpy(shuffled(len(images), name))
    reference, others = images[order[:REFERENCE]], images[order[REFERENCE:]]
    numbers = modes(others, groups) if isinstance(groups, int) else groups[order[REFERENCE:].numpy()]
    return DataSet(name, reference, others, numbers, kept)


def data_sets(folder: Path, cache: Path) -> list[DataSet]:
    found = []
    for size in (32, 64):
        pixels, _ = read(folder / "emoji", size, 10**9, cache)
        found.append(halves(f"emoji {size}", to_tensor(pixels), 12, (12, 8, 4, 2, 1)))
    pixels, names = read(next((folder / "cifar10").glob("train*")), 32, 10_000, cache)
    classes = np.unique(names, return_inverse=True)[1]
    found.append(halves("cifar10 32", to_tensor(pixels), classes, (10, 7, 4, 2, 1)))
    scenes = list(World(32).sample(5000, seed=derive("judges", "shapes") % 2**31))
    colours = np.unique([scene.objects[0].colour for *_, scene in scenes], return_inverse=True)[1]
    shapes = to_tensor(np.stack([image for image, *_ in scenes]))
    found.append(halves("shapes 32", shapes, colours, (6, 4, 3, 2, 1)))
    return found


# ------------------------------------------------------------------ faults


def blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """sigma: px at 32."""
    s = torch.full((len(x),), sigma * x.shape[-1] / 32)
    reach = min(2 * int(3 * float(s[0]) + 1) + 1, 2 * (x.shape[-1] // 2) * 2 - 1)
    return torch.cat(
        [filtered(p, gaussian(reach, q, q, torch.zeros_like(q))) for p, q in zip(x.split(64), s.split(64), strict=True)]
    )


def grainy(x: torch.Tensor, strength: float) -> torch.Tensor:
    return (x + strength * Noise.shared(0, "grain").normal(x.shape)).clamp(-1, 1)


def through_jpeg(x: torch.Tensor, quality: float) -> torch.Tensor:
    """Its blocks lie 4 px beside those of a JPEG that the image may come from, as CIFAR-10 here does."""
    padded = F.pad(x, (4, 4, 4, 4), mode="replicate")
    return compressed(padded, torch.full((len(x),), quality))[..., 4:-4, 4:-4]


def tinted(x: torch.Tensor, strength: float) -> torch.Tensor:
    return (x + strength * torch.tensor([1.0, -0.6, 0.3]).view(1, 3, 1, 1)).clamp(-1, 1)


def noise_like(x: torch.Tensor, exponent: float) -> torch.Tensor:
    """Gaussian noise with the mean and the covariance of the pixels' colours, and a spectrum 1/f^exponent."""
    pixels = x.permute(1, 0, 2, 3).flatten(1)
    mean, root = pixels.mean(1), torch.linalg.cholesky(torch.cov(pixels) + 1e-6 * torch.eye(3))
    size = x.shape[-1]
    f = (torch.fft.fftfreq(size)[:, None].square() + torch.fft.rfftfreq(size)[None].square()).sqrt().clamp(min=1 / size)
    field = torch.fft.irfft2(torch.fft.rfft2(Noise.shared(0, "noise", size).normal(x.shape)) * f ** (-exponent / 2))
    field = field / field.std()
    return (torch.einsum("dc,nchw->ndhw", root, field) + mean.view(1, 3, 1, 1)).clamp(-1, 1)


FAULTS: dict[str, tuple[Callable[[torch.Tensor, float], torch.Tensor], tuple[float, ...]]] = {
    "blur": (blurred, (0.4, 0.7, 1.0, 1.5, 2.5)),
    "noise": (grainy, (0.05, 0.1, 0.2, 0.4, 0.8)),
    "JPEG": (through_jpeg, (75, 50, 25, 10, 4)),
    "tint": (tinted, (0.05, 0.1, 0.2, 0.4, 0.6)),
}
NOISES = {"noise of its colours": 0.0, "1/f noise of its colours": 2.0}
BLURS = (1.0, 2.5, 4.0, 6.0)
HEAVY = 6.0
"""Sigma of the blur that a person ranks below the samples of two minutes, px at 32."""


# ------------------------------------------------------------------ checks


@dataclass
class Row:
    """A check: its name, (KID, Frechet) of each step, and whether it passed."""

    data: str
    name: str
    steps: list[str]
    kid: list[float]
    frechet: list[float]
    passed: tuple[bool, bool]


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
    if ladder is not None and (row := rungs(distances, ladder)):
        rows.append(row)
    return rows


def noise_against_blur(distances: Distances, floor: tuple[float, float]) -> Row:
    """Noise without any structure is farther than every blur."""
    data = distances.data
    values = [floor, *(distances(blurred(data.plain, s)) for s in BLURS)]
    names = ["real", *(f"blur {s:g}" for s in BLURS), *NOISES]
    row = distances.row(
        "noise against blur", names, [*values, *(distances(noise_like(data.plain, e)) for e in NOISES.values())]
    )
    n = len(values)
    row.passed = (min(row.kid[n:]) > max(row.kid[:n]), min(row.frechet[n:]) > max(row.frechet[:n]))
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


def rungs(distances: Distances, ladder: Path) -> Row | None:
    """From real images over samples of three ages of a DDPM to blurs and noise."""
    data = distances.data
    word, _, size = data.name.partition(" ")
    files = {age: ladder / f"{word}-32-ddpm" / f"{age}.npy" for age in ("32m", "8m", "2m")}
    files = {age: file for age, file in files.items() if file.exists()}
    if size != "32" or not files:
        return None
    samples = [to_tensor(np.load(file)) for file in files.values()]
    sets = [data.plain, *samples, blurred(data.plain, HEAVY), noise_like(data.plain, 0.0)]
    return distances.row("ladder", ["real", *files, f"blur {HEAVY:g}", "noise"], map(distances, sets))


def table(rows: list[Row]) -> str:
    lines = ["| data | check | | " + "steps |", "|---|---|---|---|"]
    for row in rows:
        for name, values, passed in zip(("KID", "Fréchet"), (row.kid, row.frechet), row.passed, strict=True):
            told = ", ".join(f"{s} {v:.3g}" for s, v in zip(row.steps, values, strict=True))
            lines.append(f"| {row.data} | {row.name} | {name}: {'yes' if passed else '**no**'} | {told} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ladder", type=Path)
    parser.add_argument("--judges", nargs="+", default=list(SHIPPED))
    parser.add_argument("--cache", type=Path, default=Path("judges-cache"))
    told = parser.parse_args()
    torch.set_grad_enabled(False)
    sets, failed = data_sets(told.data, told.cache), 0
    for name in told.judges:
        judge = judges.load(name)
        rows = [row for data in sets for row in check(judge.features, data, told.ladder)]
        bad = sum(not p for row in rows for p in row.passed)
        print(f"\n## {judge.name} ({judge.hash[:12]})\n\n{table(rows)}\n\n{bad} of {2 * len(rows)} checks fail")
        failed += bad if judge.name != "random" else 0
    sys.exit(int(failed > 0))


if __name__ == "__main__":
    main()

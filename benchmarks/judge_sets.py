"""The images that benchmarks/judges.py compares: three sources in halves, and what can happen to them."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from unclip.core.noise import Noise, derive
from unclip.data import World, open_source, to_tensor
from unclip.data.degradation.blur import filtered, gaussian
from unclip.data.degradation.jpeg import compressed
from unclip.data.images.decode import decode

EACH = 512
"""Images of each set that is compared with the reference."""
REFERENCE = 1024


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
    "tint": (tinted, (0.1, 0.2, 0.3, 0.45, 0.6)),
}

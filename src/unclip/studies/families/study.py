"""`unclip compare` of models of images alone: what each family can do and what it cannot, on the same held-out images.

The runs have the same data, size and split; a model with classes is told each image's class, in drawing and in what it
says of the image. Times are of one batch on this machine, so they say how families stand to each other, and no more.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from unclip.core.slerp import slerp
from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion.likelihood import Estimate, summarise
from unclip.evaluation import likelihood, pictures
from unclip.evaluation.judging.compared import Compared
from unclip.evaluation.judging.panel import by_judge
from unclip.evaluation.sets.distinct import distinct_images
from unclip.generation.classed import ClassModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.load import called
from unclip.generation.settings import Settings
from unclip.images.files import grid, to_pictures
from unclip.judges.judge import Judge
from unclip.models.classes import Labels
from unclip.models.families.flow import Flow
from unclip.models.families.vae import VAE
from unclip.runs.folder import RunFolder
from unclip.studies.families.ways import Way, way_of

TIMED, REPEATS = 16, 3
"""Images of a batch that is timed, and how often it is; the median counts."""
VISITS = 20
"""Steps of a DDPM's chain that each image visits for its bound."""
COLUMNS = 10
"""Of the picture."""
NONE = "none"
"""In the place of what a family does not have."""


@dataclass(frozen=True)
class Family:
    """A run of the comparison: where it lies, its model, and how it goes from z to x and back."""

    root: Path
    model: ClassModel
    way: Way

    @classmethod
    def of(cls, root: Path, model: ClassModel) -> "Family":
        """Of a loaded run."""
        return cls(root, model, way_of(model))

    def labels(self, captions: Sequence[str]) -> Labels:
        """The numbers of the classes, where the model knows any."""
        return self.model.labels([c if self.model.classes else "" for c in captions]).cpu()

    def fitted(self, images: Images) -> Images:
        """Images of as many channels as the model has."""
        return images.mean(1, keepdim=True) if self.model.shape[0] == 1 else images


@dataclass(frozen=True)
class Shared:
    """What all runs are compared on: held-out images [n, 3, h, w], their captions, training images, and judges."""

    captions: Sequence[str]
    real: Images
    train: Images
    judges: Sequence[Judge]
    seed: int = 0


def figures(family: Family, shared: Shared) -> dict[str, Any]:
    """What one run is and can do: name -> a number, a mean with its error, or words."""
    labels = family.labels(shared.captions)
    made = pictures.generate_images(family.model, labels, shared.seed, Settings())
    x = family.fitted(shared.real)
    return {
        "family": called(family.model),
        **trained(family.root),
        **times(family.way, x, labels),
        **bits(family.model, x, labels, shared.seed),
        **judged(made.expand(-1, 3, -1, -1), shared),
        "reconstruction, dB": reconstruction(family.way, x, labels),
    }


def trained(root: Path) -> dict[str, Any]:
    """Seconds, steps and parameters of its stage."""
    run = RunFolder(root)
    metrics = run.state()[run.drawing]["metrics"]
    return {name: metrics.get(name) for name in ("parameters", "steps", "seconds")}


def times(way: Way, images: Images, labels: Labels) -> dict[str, Any]:
    """Evaluations and ms an image from z to x, and from x to z."""
    x, which = images[:TIMED], labels[:TIMED]
    z = way.noise(range(len(x)))
    found: dict[str, Any] = {"z to x, evaluations": way.forth, "z to x, ms": _ms(lambda: way.draw(z, which), len(x))}
    if way.back is None:
        return {**found, "x to z, evaluations": NONE, "x to z, ms": NONE}
    return {**found, "x to z, evaluations": way.back, "x to z, ms": _ms(lambda: way.encode(x, which), len(x))}


def _ms(what: Callable[[], object], n: int) -> float:
    took = list[float]()
    for _ in range(REPEATS):
        begin = time.perf_counter()
        what()
        took.append(time.perf_counter() - begin)
    return 1000 * statistics.median(took) / n


def bits(model: ClassModel, images: Images, labels: Labels, seed: int) -> dict[str, Any]:
    """Bits/dim, what kind of figure that is, and the tighter one by importance sampling where there is one."""
    kind, tighter = "bits/dim are", f"bits/dim, {likelihood.SAMPLES} samples"
    if isinstance(model, DDPMPipeline):
        steps = min(VISITS, len(likelihood.chain(model)) - 2)
        found = summarise(likelihood.bound(model, images, labels, steps, seed)).total
        return {"bits/dim": _figure(found), kind: "a bound", tighter: NONE}
    known = pictures.explaining(model)
    if not isinstance(known, VAE | Flow):
        return {"bits/dim": NONE, kind: NONE, tighter: NONE}
    one, many = likelihood.by_importance(known, images, labels, max(2, len(images) // 8), seed, model.device)
    said = "a bound" if isinstance(known, VAE) else "exact, dequantised"
    return {"bits/dim": _figure(one), kind: said, tighter: _figure(many)}


def _figure(found: Estimate) -> dict[str, float]:
    return {"mean": found.mean, "error": found.error}


def judged(made: Images, shared: Shared) -> dict[str, Any]:
    """By each judge: way, precision, recall; by the first also how many images are distinct."""
    compared, scores = Compared(made, shared.real, shared.train, shared.judges), dict[str, Any]()
    for judge in compared.able:
        seen = compared.spaces[judge.name]
        found = by_judge(judge, seen, shared.real, shared.seed)
        scores |= {f"{name}, {judge.name}": found[name] for name in ("way", "precision", "recall") if name in found}
    if compared.able:
        first = compared.spaces[compared.able[0].name]
        count = distinct_images(first.made, first.real)
        scores["distinct images"] = f"{count.made} of {count.n} (real {count.real})"
    return scores


def reconstruction(way: Way, images: Images, labels: Labels) -> float | str:
    """PSNR of images after the way to z and back, dB; the mean over images of what it is of each."""
    if way.back is None:
        return NONE
    x, which = images[:TIMED], labels[:TIMED]
    again = way.draw(way.encode(x, which), which).cpu()
    error = (again - x).square().flatten(1).mean(1).clamp(min=1e-12)
    return (10 * torch.log10(4 / error)).mean().item()


def between(way: Way, labels: Labels, ends: Float[Tensor, "two ..."], count: int) -> Float[Tensor, "n c h w"]:
    """Images along the arc from the first z to the second, both included, of the first class."""
    a, b = ends[:1], ends[1:2]
    shares = torch.linspace(0, 1, count)
    z = torch.cat([slerp(a, b, share) for share in shares.tolist()])
    return way.draw(z, labels[:1].expand(count))


def sheet(families: Sequence[Family], shared: Shared) -> Image.Image:
    """Rows of each run: samples; the way from one z to another; held-out images after the way to z and back."""
    n = min(COLUMNS, len(shared.real))
    lines, labels = [to_pictures(shared.real[:n])], ["held out"]
    for family in families:
        own = family.labels(shared.captions[:n])
        name = family.root.name
        drawn = pictures.generate_images(family.model, own, shared.seed, Settings())
        walk = between(family.way, own, family.way.noise([shared.seed, shared.seed + 1]), n)
        lines += [_coloured(drawn), _coloured(walk)]
        labels += [f"{name}: samples", f"{name}: from one z to another"]
        if family.way.back is not None:
            x = family.fitted(shared.real[:n])
            lines.append(_coloured(family.way.draw(family.way.encode(x, own), own)))
            labels.append(f"{name}: held out, to z and back")
    return grid(lines, labels)


def _coloured(images: Images) -> list[Image.Image]:
    return to_pictures(images.cpu().expand(-1, 3, -1, -1))


def said(value: object) -> str:
    """A figure as the table shows it."""
    if isinstance(value, Mapping):
        return f"{value['mean']:.3g} ± {value['error']:.1g}"
    if isinstance(value, float):
        return f"{value:.3g}" if math.isfinite(value) else f"{value}"
    return f"{value:,}" if isinstance(value, int) else f"{value}"

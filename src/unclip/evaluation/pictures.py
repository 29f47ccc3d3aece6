"""Scores of a model of images alone: distance to the data, roughness, and whether it uses its classes. No CLIP."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from unclip.core.noise import Noise
from unclip.core.typing import Images, PerSample, Vectors
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.diffusion.process import Sampling
from unclip.evaluation.fidelity.texture import roughness
from unclip.evaluation.sets.kernel import kid, kid_scores
from unclip.generation.classed import ClassModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.one_pass import OnePassModel
from unclip.generation.settings import Settings
from unclip.models.classes import Labels
from unclip.models.ddpm import DDPM
from unclip.models.families.flow import Flow
from unclip.models.families.vae import VAE

Explaining = DDPM | VAE | Flow
"""The models whose loss says how well a class explains an image."""
BATCH = 64
CELLS = 8
"""Cells a side over which features are averaged."""
QUICK = Settings(steps=20, sampler="ancestral")


def quick(how: Sampling) -> Settings:
    """At most 20 steps, for a look on the way and a gate: more would take a good part of the time of the training."""
    return QUICK if how.steps > (QUICK.steps or 0) else Settings()


def evaluate_images(model: ClassModel, real: Images, labels: Labels, made: Images, seed: int = 0) -> dict[str, Any]:
    """Figures of one generated image for each real one, of the same class, beside those of noise."""
    if len(real) < 2:
        raise ValueError(f"{len(real)} image: a score needs at least 2")
    noise = Noise.shared(seed, "noise").normal(real.shape) * real.std() + real.mean()
    scores: dict[str, Any] = {
        "distance": {"generated": kid_scores(features(made), features(real), seed), "noise": distance(noise, real)},
        "roughness": {"generated": roughness(made), "real": roughness(real)},
    }
    if len(model.classes) == 1:
        return {**scores, "class": "cannot be known: there is one class"}
    known = explaining(model)
    if not model.classes or known is None:
        return scores
    return {**scores, "class": class_gap(known, real, labels, seed)}


def explaining(model: ClassModel) -> Explaining | None:
    """The part that says how well a class explains an image; None where a model has none, as a GAN."""
    if isinstance(model, DDPMPipeline):
        return model.model
    inside = model.model if isinstance(model, OnePassModel) else None
    return inside if isinstance(inside, VAE | Flow) else None


def held_out(model: ClassModel, prepared: Prepared, rows: np.ndarray) -> tuple[Images, Labels]:
    """These images as the model knows them, and their classes. Raises ValueError for a class unknown to it."""
    images = to_tensor(select_rows(prepared.images, rows, model.shape[0]))
    names = [prepared.captions[r][0] if model.classes else "" for r in rows]
    return images, model.labels(names).cpu()


def generate_images(model: ClassModel, labels: Labels, seed: int, settings: Settings) -> Images:
    """One image a label, in [-1, 1] on the CPU; image i has seed + i."""
    names, parts = ["" if i < 0 else model.classes[i] for i in labels.tolist()], []
    for i in range(0, len(names), BATCH):
        some = names[i : i + BATCH]
        *_, last = model.steps(some, range(seed + i, seed + i + len(some)), settings)
        parts.append(last.x.float().clamp(-1, 1).cpu())
    return torch.cat(parts)


def features(x: Images) -> Vectors:
    """Means over 8 x 8 cells of the colours and of the absolute differences of neighbours: layout and texture."""
    x = x.float()
    across, down = F.pad(x.diff(dim=-1).abs(), (0, 1)), F.pad(x.diff(dim=-2).abs(), (0, 0, 0, 1))
    return F.adaptive_avg_pool2d(torch.cat([x, across, down], dim=1), CELLS).flatten(1)


def distance(a: Images, b: Images) -> float:
    """Kernel distance of two sets of images by these features."""
    return kid(features(a), features(b))


@torch.no_grad()
def class_gap(model: Explaining, images: Images, labels: Labels, seed: int, repeats: int = 4) -> dict[str, float]:
    """Does the model know what its classes look like? Its loss with the right class, and with another one.

    The same images, levels and noise in both; `error`: of the mean difference over images. Li et al. 2023 ("Your
    diffusion model is secretly a zero-shot classifier") classify so.
    """
    device, count = next(model.parameters()).device, len(model.config.classes)
    images, labels = images.to(device), labels.to(device)
    shift = 1 + Noise.shared(seed, "class", device=device).integers(max(1, count - 1), (len(labels),))
    right, wrong = (_losses(model, images, l, seed, repeats) for l in (labels, (labels + shift) % count))
    gap = wrong - right
    metrics = {"right": right.mean().item(), "wrong": wrong.mean().item(), "gap": gap.mean().item()}
    return {**metrics, "error": gap.std().item() / len(gap) ** 0.5, "n": len(gap)}


def _losses(model: Explaining, images: Images, labels: Labels, seed: int, repeats: int) -> torch.Tensor:
    parts = []
    for i in range(0, len(images), BATCH):
        x, which = images[i : i + BATCH], labels[i : i + BATCH]
        noises = [Noise.shared(seed, "levels", i, r, device=images.device) for r in range(repeats)]
        parts.append(torch.stack([_loss(model, x, which, noise) for noise in noises]).mean(0))
    return torch.cat(parts)


def _loss(model: Explaining, x: Images, labels: Labels, noise: Noise) -> PerSample:
    """Of each image: the diffusion loss at random levels, or bits/dim."""
    if isinstance(model, DDPM):
        return model.diffusion.loss(x, model.condition(labels), noise)
    return model.bits(x, labels, noise)

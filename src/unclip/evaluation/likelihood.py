"""Bits a dimension of a model of images alone on held-out images; of a DDPM its rate-distortion curve, too.

The bound goes through the model's own chain: a table's T betas, else 1000 steps that are even in log-SNR between the
ends of the levels it was trained on. An image visits some of the steps, drawn so that the sum stays unbiased.

Of a VAE and a flow: the bound by one sample, and the tighter one by importance sampling (`models.families.importance`).
"""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.diffusion.grids import UniformLogSNR, UniformTime, ends
from unclip.diffusion.likelihood import (
    Bound,
    BoundSettings,
    Estimate,
    flow_likelihood,
    rate_distortion,
    summarise,
    variational_bound,
)
from unclip.diffusion.schedules import BetaTable
from unclip.evaluation.pictures import explaining
from unclip.generation.classed import ClassModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.models.classes import Labels
from unclip.models.families.flow import Flow
from unclip.models.families.vae import VAE

BATCH = 64
VISITS = 50
"""Steps of the chain that each image visits."""
SAMPLES = 64
"""k of the importance sampling (Burda et al. 2016 take up to 50 in training, 5000 to report)."""


def bits(model: ClassModel, images: Images, labels: Labels, few: int = 64, seed: int = 0) -> dict[str, Any]:
    """Every figure of bits/dim that a model has. few: the first of the images, on which what costs most is taken.

    Raises ValueError for a model without a likelihood, for images of another size or channel count than the model's,
    and for fewer than two.
    """
    if isinstance(model, DDPMPipeline):
        return bits_of_ddpm(model, images, labels, few, seed)
    known = explaining(model)
    if not isinstance(known, VAE | Flow):
        raise ValueError("bits/dim (bpd): a GAN has no likelihood, only samples; leave --bpd out")
    name = "bound" if isinstance(known, VAE) else "dequantised"
    one, many = by_importance(known, images, labels, few, seed, model.device)
    return {name: asdict(one), f"importance_{SAMPLES}": asdict(many)}


def by_importance(
    model: VAE | Flow, images: Images, labels: Labels, few: int, seed: int, device: str
) -> tuple[Estimate, Estimate]:
    """The bound by one sample of each image, and by `SAMPLES`: the first less what the latter gain on `few` images."""
    one = _values(model, images, labels, 1, seed, device)
    gain = Estimate.of(one[:few] - _values(model, images[:few], labels[:few], SAMPLES, seed, device))
    whole = Estimate.of(one)
    return whole, Estimate(whole.mean - gain.mean, math.hypot(whole.error, gain.error), gain.n)


def by_samples(model: VAE | Flow, images: Images, labels: Labels, k: int, seed: int, device: str) -> Estimate:
    """The bound by k samples an image. Raises as `bits` does."""
    return Estimate.of(_values(model, images, labels, k, seed, device))


def _values(model: VAE | Flow, images: Images, labels: Labels, k: int, seed: int, device: str) -> PerSample:
    check_count(images)
    found = list[Tensor]()
    for i in range(0, len(images), BATCH):
        x, which = (part[i : i + BATCH].to(device) for part in (images, labels))
        with torch.no_grad():
            found.append(model.bits(x, which, Noise.shared(seed, "bits", i, device=device), k))
    return torch.cat(found)


def check_count(images: Images) -> None:
    """Raises ValueError for fewer images than a standard error needs."""
    if len(images) < 2:
        raise ValueError(f"{len(images)} image: a standard error needs at least 2")


def bits_of_ddpm(model: DDPMPipeline, images: Images, labels: Labels, flow: int = 64, seed: int = 0) -> dict[str, Any]:
    """The bound with its parts, the chain, and the ODE's value on the first `flow` images (0: left out, it costs
    most), as plain figures in bits/dim; the curve where the images are enough to visit every step.

    Raises ValueError for images of another size or channel count than the model's, or fewer than two.
    """
    levels = chain(model)
    steps = len(levels) - 1
    at = min(steps - 1, VISITS)
    bounds = bound(model, images, labels, at, seed)
    about = {"steps": steps, "noisy": levels[0].item(), "clean": levels[-2].item(), "visited": at}
    found: dict[str, Any] = {"bound": asdict(summarise(bounds)), "chain": about}
    if flow:
        found["flow"] = asdict(by_flow(model, images[:flow], labels[:flow], seed))
    if torch.cat([b.index.flatten() for b in bounds]).unique().numel() == steps - 1:
        found["rate_distortion"] = {name: values.tolist() for name, values in vars(rate_distortion(bounds)).items()}
    return found


def chain(model: DDPMPipeline) -> Float[Tensor, " points"]:
    """The levels of the whole chain, +inf at its end."""
    schedule = model.model.config.diffusion.schedule
    grid = UniformTime() if isinstance(schedule, BetaTable) else UniformLogSNR()
    return grid(schedule, schedule.length, model.device)


def bound(model: DDPMPipeline, images: Images, labels: Labels, at: int, seed: int = 0) -> list[Bound]:
    """The variational bound of each batch, `at` steps of the chain visited for each image. Raises as `bits` does."""
    levels, found = chain(model), []
    how = BoundSettings("learned" if model.model.config.diffusion.vlb_weight else "beta", at=at)
    for x, which, noise in _batches(model, images, labels, seed):
        with model.autocast():
            found.append(variational_bound(model.model.denoiser(which), levels, x, noise, how))
    return found


def by_flow(model: DDPMPipeline, images: Images, labels: Labels, seed: int = 0) -> Estimate:
    """By the probability-flow ODE, in float32: its solver would work against the rounding of bfloat16."""
    limits, found = ends(model.model.config.diffusion.schedule), []
    for x, which, noise in _batches(model, images, labels, seed):
        denoise = model.model.denoiser(which, limited=False)
        found.append(flow_likelihood(denoise, limits, x, noise.fork("flow")).bits)
    return Estimate.of(torch.cat(found))


def _batches(model: DDPMPipeline, images: Images, labels: Labels, seed: int) -> Iterator[tuple[Images, Labels, Noise]]:
    model.model.check(images)
    check_count(images)
    for i in range(0, len(images), BATCH):
        x, which = (part[i : i + BATCH].to(model.device) for part in (images, labels))
        yield x, which, Noise.shared(seed, "bits", i, device=model.device)

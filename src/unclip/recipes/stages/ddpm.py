"""The one stage of a plain DDPM: what it is built of, fed with, previewed and judged by."""

import math
from dataclasses import replace

import numpy as np
from PIL import Image

from unclip.diffusion.guidance import Unguided
from unclip.diffusion.likelihood import summarise
from unclip.evaluation import likelihood
from unclip.evaluation import pictures as scores
from unclip.generation.ddpm import DDPMPipeline
from unclip.images.files import grid, to_pictures
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.models.network import fitted
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import PictureFeed
from unclip.recipes.gates import PICTURES, ROUGHEST, judged
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage

ROWS, COLUMNS = 8, 4
"""Of a preview."""
NEAR = 0.5
"""Generated pictures farther from the data than this share of noise's distance are not of its kind."""
GLANCE = 4
"""Steps of the chain a picture: enough to see that bits/dim are a number; `unclip evaluate --bpd` measures them."""


def ddpm_stage(ctx: Context) -> Stage:
    """The model on pictures and, where asked, their classes."""
    r = ctx.config.ddpm
    config = ddpm_config(ctx.config, ctx.classes if r.classes else ())
    feed = PictureFeed(
        ctx.prepared,
        ctx.split[0],
        r.train.batch,
        ctx.config.seed,
        labels(ctx) if r.classes else None,
        r.network.channels,
        r.flip,
    )

    def whole(module: DDPM) -> DDPMPipeline:
        return DDPMPipeline(module, device=ctx.device, precision=ctx.precision)

    return Stage(
        "ddpm",
        DDPM(config).to(ctx.device),
        feed,
        r.train,
        r.share,
        lambda module: judged(ctx, ddpm_gate, whole(module)),
        lambda module: preview(whole(module)),
        gate_previews=7.0,
    )


def ddpm_config(config: RunConfig, classes: tuple[str, ...]) -> DDPMConfig:
    """The model that these settings mean; without classes there is nothing to guide towards."""
    r = config.ddpm
    return DDPMConfig(
        size=config.size,
        network=fitted(r.network, vector_width=len(classes), learned_variance=r.diffusion.vlb_weight > 0),
        classes=classes,
        diffusion=r.diffusion,
        sampling=r.sampling if classes else replace(r.sampling, guidance=Unguided()),
        drop_class=r.drop_class,
    )


def labels(ctx: Context) -> np.ndarray:
    """The number of each picture's class."""
    numbers = {name: i for i, name in enumerate(ctx.classes)}
    return np.array([numbers[captions[0]] for captions in ctx.prepared.captions], dtype=np.int64)


def preview(model: DDPMPipeline) -> Image.Image:
    """A row a class (the first eight of them), or a sheet of pictures."""
    rows = list(model.classes[:ROWS]) or [""] * ROWS
    seeds = [j + (0 if model.classes else i * COLUMNS) for i in range(len(rows)) for j in range(COLUMNS)]
    *_, last = model.steps([c for c in rows for _ in range(COLUMNS)], seeds, scores.quick(model.sampling))
    drawn = to_pictures(last.x.cpu())
    return grid([drawn[i : i + COLUMNS] for i in range(0, len(drawn), COLUMNS)], rows if model.classes else None)


def ddpm_gate(ctx: Context, rows: np.ndarray, model: DDPMPipeline) -> Gate:
    """Pictures are not noise, are nearer to the data than noise is, and a picture's own class explains it best."""
    real, own = scores.held_out(model, ctx.prepared, rows[:PICTURES])
    found = scores.score(model, real, own, ctx.config.seed, scores.quick(model.sampling))
    bits = summarise(likelihood.bound(model, real, own, GLANCE, ctx.config.seed)).total
    rough, distance = found["roughness"], found["distance"]
    times = rough["generated"] / max(rough["real"], 1e-6)
    figures = {"roughness": times, "distance": distance["generated"], "distance_of_noise": distance["noise"]}
    figures |= {"bits": bits.mean, "bits_error": bits.error}
    good = times < ROUGHEST and distance["generated"] < NEAR * distance["noise"] and math.isfinite(bits.mean)
    why = f"distance {distance['generated']:.3g}, of noise {distance['noise']:.3g}; roughness {times:.2f}x the data's; "
    why += f"{bits.mean:.2f} bits/dim"
    if model.classes:
        gap = found["class"]
        figures |= {"class_gap": gap["gap"], "class_error": gap["error"]}
        good = good and gap["gap"] > 3 * gap["error"]
        why += f"; loss with the right class {gap['right']:.4f}, with another {gap['wrong']:.4f}"
    return Gate("ddpm", good, why, figures)

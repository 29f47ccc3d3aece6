"""What the gates say of images that a person can rank: noise, smears, a run's early and finished images, real ones.

    python benchmarks/gates.py RUN [RUN ...] [--sheet FILE.png]

Real images are validation images against others of them; smears are real images blurred by 6 px of 32; noise has the
mean and the covariance of the pixels' colours (once for runs in a row on the same data). A run's own rungs are its
weights after 1/16 of the training and at its end, asked by the gate of its last stage. --sheet: images of each rung,
for the person.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from judge_sets import blurred

from unclip.core import machine
from unclip.core.disk import store
from unclip.core.noise import Noise
from unclip.data import load_prepared
from unclip.evaluation.judging.likeness import SIDES
from unclip.evaluation.judging.panel import coloured_noise
from unclip.evaluation.pictures import generate_images, held_out, quick
from unclip.evaluation.suite import generate_for_captions
from unclip.generation.captioned import CaptionedModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.load import load
from unclip.images.files import grid, save_picture, to_pictures
from unclip.judges.judge import within
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.foresight import passes_in
from unclip.recipes.gates import PICTURES, judged_rows, likeness_of, pairs_of
from unclip.recipes.settings.run import stored_config
from unclip.recipes.stages.base import build
from unclip.runs.folder import RunFolder

SHOWN = 12
SMEAR = 6.0 / 32
"""Sigma as a share of the side."""


@dataclass
class Rung:
    """images: where they were not drawn by the gate itself."""

    name: str
    gate: Gate
    images: torch.Tensor | None = None


def opened(root: Path) -> Context:
    run = RunFolder(root)
    config = stored_config(run.settings)
    return Context(run, config, load_prepared(run.data), machine.device(), "float32")


def made_of_data(ctx: Context) -> Iterator[Rung]:
    """Noise, smears and real images."""
    rows, _ = judged_rows(ctx.splits)
    half = min(len(rows) // 2, PICTURES)
    images, _ = pairs_of(ctx, rows, 2 * half)
    real, others = images[:half], images[half:]
    noise = coloured_noise(real, Noise.shared(1, "gates"))
    for name, made in (("noise", noise), ("smears", smeared(others)), ("real", others)):
        like = likeness_of(ctx, made, real)
        yield Rung(name, Gate("", not like.noise, like.said(), like.metrics), made)


def smeared(images: torch.Tensor) -> torch.Tensor:
    """Blurred as they are judged, so that the blur is one of the same share of the side at each size."""
    small = within(images, *SIDES)
    return blurred(small, SMEAR * small.shape[-1])


def made_by_run(ctx: Context) -> Iterator[Rung]:
    """By its early weights and by those at the end, as the gate of the stage that draws judges them."""
    name = ctx.config.stages[-1]
    stage = build(ctx, name)
    steps = int(store.load(ctx.folder.root / name, name).extra["steps"])
    for rung, place, share in (("early", ctx.folder.early / name, 1 / 16), ("end", ctx.folder.root / name, 1.0)):
        stage.kept(stage.module).load_state_dict(store.load(place, name).tensors)
        passes = passes_in(ctx, name).after(steps * share)
        yield Rung(f"{rung}, {passes:.3g} passes", stage.gate(stage.module.eval()))


def drawn_at_end(ctx: Context) -> torch.Tensor:
    """By the finished run, for captions of validation."""
    model, rows = load(ctx.folder.root), judged_rows(ctx.splits)[0][:SHOWN]
    if isinstance(model, DDPMPipeline):
        return generate_images(model, held_out(model, ctx.prepared, rows)[1], 0, quick(model.sampling))
    assert isinstance(model, CaptionedModel)
    return generate_for_captions(model, pairs_of(ctx, rows)[1], 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--sheet", type=Path)
    told, rows = parser.parse_args(), []
    print("| run | images | supervised | self-supervised | gate | what it says |\n|---|---|---|---|---|---|")
    known: list[str] = []
    for root in told.runs:
        ctx = opened(root)
        rungs, known = (
            [*(made_of_data(ctx) if ctx.prepared.keys != known else ()), *made_by_run(ctx)],
            ctx.prepared.keys,
        )
        for rung in rungs:
            ways = [f"{rung.gate.metrics.get(f'way_{name}', np.nan):.2f}" for name in ("supervised", "self_supervised")]
            verdict = "passes" if rung.gate.passed else "**fails**"
            print("|", " | ".join([named(root), rung.name, *ways, verdict, rung.gate.why]), "|", flush=True)
        if told.sheet:
            seen = [(rung.name, rung.images[:SHOWN]) for rung in rungs if rung.images is not None]
            rows += [(name, to_pictures(images)) for name, images in [*seen, (named(root), drawn_at_end(ctx))]]
    if told.sheet:
        save_picture(grid([images for _, images in rows], [name for name, _ in rows]), told.sheet)


def named(root: Path) -> str:
    return f"{root.parent.name} {root.name}"


if __name__ == "__main__":
    main()

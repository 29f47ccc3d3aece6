"""The gate at the end of each stage of a text-to-image model: pass or fail, the figures, and why."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from unclip.data.loader import to_tensor
from unclip.evaluation import suite
from unclip.generation.captioned import CaptionedModel
from unclip.generation.text_to_image import TextToImage
from unclip.recipes.context import Context
from unclip.recipes.events import Gate

M = TypeVar("M")

FEW = 20
"""Fewer held-out pairs than this cannot judge anything; the training pairs stand in, and the gate says so."""
PICTURES = 128
ROUGHEST = 3.0
"""Generated pictures this many times rougher than the data's are noise."""


def judged(ctx: Context, judge: Callable[[Context, np.ndarray, M], Gate], model: M) -> Gate:
    """A gate's verdict on held-out pairs, which it names."""
    rows, note = judged_rows(ctx)
    with torch.no_grad():
        result = judge(ctx, rows, model)
    return replace(result, why=result.why + note)


def believable(result: Gate, skipped: int, steps: int) -> Gate:
    """The verdict, failed where a figure is no number: nothing was measured then; skipped steps are told."""
    lost = [name for name, value in result.figures.items() if math.isnan(value)]
    why = result.why
    if lost:
        why = f"what it makes cannot be judged, {' and '.join(lost[:2])} came out as no number: {why}"
    if skipped:
        why += f"; {skipped:,} of {steps:,} steps were skipped, for their loss was not finite"
    return replace(result, passed=result.passed and not lost, why=why)


def judged_rows(ctx: Context) -> tuple[np.ndarray, str]:
    """(rows to judge on, a note where they are training pairs)."""
    train, held = ctx.split
    if len(held) >= FEW:
        return held, f" ({len(held)} held-out pairs)"
    return np.concatenate([held, train])[:256], f" (judged on training pairs: only {len(held)} are held out)"


def _data(ctx: Context, rows: np.ndarray, most: int = 512) -> tuple[torch.Tensor, list[str]]:
    rows = rows[:most]
    return to_tensor(ctx.prepared.images[rows]), [ctx.prepared.captions[r][0] for r in rows]


def clip_gate(ctx: Context, rows: np.ndarray, model: CaptionedModel) -> Gate:
    """R@1 at least twice chance, and above it by three standard errors."""
    images, captions = _data(ctx, rows)
    figures = suite.score_clip(model, model.embed_images(images), captions)
    r1, chance = figures["r1"], figures["chance"]
    if chance == 1:
        return Gate("clip", False, "all captions are the same: there is nothing to tell apart", figures)
    noise = 3 * (chance * (1 - chance) / figures["pictures"]) ** 0.5
    why = f"retrieval R@1 {r1:.1%}, R@5 {figures['r5']:.1%}, chance {chance:.1%}"
    return Gate("clip", r1 >= 2 * chance and r1 > chance + noise, why, figures)


def prior_gate(ctx: Context, rows: np.ndarray, model: TextToImage) -> Gate:
    """The prior's embeddings are nearer to the picture of their caption than to another's, by three standard errors."""
    images, captions = _data(ctx, rows, 256)
    figures = suite.score_prior(model, model.embed_images(images), captions)
    why = f"cosine to the true embedding {figures['matched']:.3f}, to another caption's {figures['shuffled']:.3f}"
    return Gate("prior", _clear(figures), why, figures)


def decoder_gate(ctx: Context, rows: np.ndarray, model: CaptionedModel, stage: str = "decoder") -> Gate:
    """Pictures fit their own captions better than others', and are not noise."""
    images, captions = _data(ctx, rows, PICTURES)
    scores = suite.score_pictures(model, images, model.embed_images(images), captions, ctx.config.seed)
    score, rough = scores["clip_score"], scores["roughness"]
    times = rough["generated"] / max(rough["real"], 1e-6)
    figures = {**score, "roughness": times, "real_matched": scores["clip_score_real"]["matched"]}
    why = f"CLIP score {score['matched']:.3f}, shuffled {score['shuffled']:.3f}; roughness {times:.2f}x the data's"
    return Gate(stage, _clear(score) and times < ROUGHEST, why, figures)


def _clear(figures: dict[str, float]) -> bool:
    return figures["gap"] > 3 * figures["error"] and figures["gap"] > 0.02

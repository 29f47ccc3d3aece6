"""What the gates at the ends of the stages share: on what they judge, and when a verdict counts."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from unclip.core.noise import derive
from unclip.core.typing import Float, Images, Tensor
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.splits import Splits
from unclip.evaluation.judging.likeness import Likeness, likeness
from unclip.recipes.context import Context
from unclip.recipes.events import Gate

M = TypeVar("M")

FEW = 20
"""Fewer validation pairs than this cannot judge anything; the training pairs stand in, and the gate says so."""
PICTURES = 128


def judge(ctx: Context, judge: Callable[[Context, np.ndarray, M], Gate], model: M) -> Gate:
    """A gate's verdict on validation pairs, which it names."""
    rows, note = judged_rows(ctx.splits)
    with torch.no_grad():
        result = judge(ctx, rows, model)
    return replace(result, why=result.why + note)


def believable(result: Gate, skipped: int, steps: int) -> Gate:
    """The verdict, failed where a figure is not a number: nothing was measured then; skipped steps are told."""
    lost = [name for name, value in result.metrics.items() if math.isnan(value)]
    why = result.why
    if lost:
        why = f"what it makes cannot be judged, {' and '.join(lost[:2])} came out as no number: {why}"
    if skipped:
        why += f"; {skipped:,} of {steps:,} steps were skipped, for their loss was not finite"
    return replace(result, passed=result.passed and not lost, why=why)


def judged_rows(splits: Splits) -> tuple[np.ndarray, str]:
    """(rows to judge on, a note where they are training pairs)."""
    held = splits.validation
    if len(held) >= FEW:
        return held, f" ({len(held)} validation pairs)"
    return (
        np.concatenate([held, splits.train])[:256],
        f" (judged on training pairs: validation has only {len(held)})",
    )


def pairs_of(ctx: Context, rows: np.ndarray, maximum: int = 512) -> tuple[torch.Tensor, list[str]]:
    """Images in [-1, 1], [n, 3, size, size], and their first captions."""
    rows = rows[:maximum]
    return to_tensor(ctx.prepared.images[rows]), [ctx.prepared.captions[r][0] for r in rows]


def likeness_of(ctx: Context, made: Images, real: Float[Tensor, "m c h w"]) -> Likeness:
    """How near generated images are to the data, by judges that saw neither, beside noise and training images."""
    rows = np.random.default_rng(derive("likeness", ctx.config.seed)).permutation(ctx.splits.train)[:PICTURES]
    train = to_tensor(select_rows(ctx.prepared.images, np.sort(rows), real.shape[1]))
    return likeness(made, real, train if len(train) > 1 else real, ctx.config.seed)


def clear(metrics: dict[str, float]) -> bool:
    """Whether the right pairs are above the shuffled ones by three standard errors, and by enough to be seen."""
    return metrics["gap"] > 3 * metrics["error"] and metrics["gap"] > 0.02

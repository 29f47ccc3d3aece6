"""Captions, and whether CLIP knows which image they belong to."""

from collections.abc import Iterator
from typing import cast

import torch

from unclip.clip.model import CLIP
from unclip.evaluation.retrieval import distinct, retrieval
from unclip.generation.captioned import CaptionedModel
from unclip.recipes.stages.batches import assembled
from unclip.studies.diagnose.check import Check, Fault, compared, unknown
from unclip.studies.diagnose.subject import FewImages, Line, Subject, fill

SIGMAS = 4
"""Retrieval so many standard errors above chance is no chance."""


def caption_checks(run: Subject) -> Iterator[Check]:
    """Whether there are captions, and whether they differ."""
    if not run.config.reads_captions:
        return
    try:
        ctx = run.ctx()
    except ValueError as error:
        yield unknown("data", "captions", error)
        return
    every = [caption.strip() for row in ctx.prepared.captions for caption in row]
    names, empty = set(every), sum(not caption for caption in every)
    figure = f"{len(names):,} different ones of {len(every):,}, {empty:,} empty"
    bad = len(names) < 2 or empty > 0.5 * len(every)
    odd = bad or len(names) < 5 or empty > 0.05 * len(every)
    fault = Fault(
        "the images have no captions" if empty > 0.5 * len(every) else "the captions are all the same",
        "A model can follow only words that tell its training images apart.",
        run.say("data", "DATA"),
    )
    verdict = "broken" if bad else "suspicious" if odd else "good"
    yield compared("data", "captions", (figure, "several, none empty"), verdict, fault)


def loaded_clip(run: Subject) -> CaptionedModel:
    """What retrieval needs. Raises ValueError where CLIP is missing or damaged."""
    ctx = run.ctx()
    clip = ctx.modules.get("clip")
    if clip is None:
        stage = run.stage("clip")
        clip = stage.kept(stage.module)
        fill(clip, run.weights("clip"), run.run.root / "clip")
        ctx.modules["clip"] = clip = clip.eval().requires_grad_(False)
    return assembled(ctx, clip=cast(CLIP, clip))


def found_by(model: CaptionedModel, ctx: FewImages, split: str) -> dict[str, float]:
    """Retrieval on training or validation images."""
    rows = ctx.splits.of(split)
    names, right = distinct(ctx.first_captions(rows))
    return retrieval(model.embed_images(ctx.images[torch.from_numpy(rows)]), model.embed_captions(names), right)


def clip_checks(run: Subject) -> Iterator[Check]:
    """Retrieval against chance on training and on validation images."""
    try:
        model, ctx = loaded_clip(run), run.ctx()
        if len(ctx.splits.validation) < 20:
            raise ValueError(f"validation has only {len(ctx.splits.validation)} images")
        found = {split: found_by(model, ctx, split) for split in ("train", "validation")}
    except ValueError as error:
        yield unknown("clip", "retrieval", error)
        return
    know = {split: knows(metrics) for split, metrics in found.items()}
    words = (f"{split} R@5 {m['r5']:.1%} (chance {min(1, 5 * m['chance']):.1%})" for split, m in found.items())
    learned, fault = run.log("clip"), Fault("", "")
    if not know["validation"] and know["train"]:
        fault = Fault(
            "the captions do not belong to the images",
            "CLIP learned its training pairs by heart and knows no others: the captions are shuffled, or the images "
            "far too few.",
            run.say("data", "DATA"),
        )
    elif not know["validation"] and fell(learned):
        fault = Fault(
            "the captions do not belong to the images",
            "CLIP's loss fell as far as guessing goes, and it knows no pair: captions and images are shuffled.",
            run.say("data", "DATA"),
        )
    elif not know["validation"]:
        fault = Fault(
            "the CLIP was never trained",
            "It finds captions no better than chance, also those of images that it was trained on.",
            run.again("clip.train.steps=0"),
        )
    verdict = "good" if know["validation"] else "broken"
    expected = f"{SIGMAS} standard errors above chance"
    yield compared("clip", "retrieval", (", ".join(words), expected), verdict, fault)


def knows(metrics: dict[str, float]) -> bool:
    """Whether R@5 is above chance."""
    chance = min(1.0, 5 * metrics["chance"])
    return metrics["r5"] > chance + SIGMAS * (chance * (1 - chance) / metrics["pictures"]) ** 0.5


def fell(lines: list[Line]) -> bool:
    """Whether a log's loss fell by a third."""
    losses = [line["loss"] for line in lines if isinstance(line.get("loss"), float)]
    last = [loss for loss in losses[-10:] if loss is not None]
    return len(losses) >= 50 and losses[0] is not None and sum(last) / len(last) < 0.67 * losses[0]

"""Does CLIP find an image's caption, and a caption's image? Recall among the distinct captions, beside chance."""

import math
from collections.abc import Sequence

import torch

from unclip.core.typing import Bool, Float, Tensor, Vectors


def retrieval(images: Vectors, texts: Float[Tensor, "c d"], right: Sequence[int]) -> dict[str, float]:
    """R@1 and R@5 of image -> caption. texts: one embedding a distinct caption; right[i]: the caption of image i.

    `error` is the standard error of R@1; `chance` is 1 / captions. `picture_r1`, `picture_r5`: of caption -> image,
    any image of the caption being right.
    """
    scores = images @ texts.t()
    belongs = torch.tensor(list(right), device=scores.device)[:, None] == torch.arange(len(texts), device=scores.device)
    r1, r5 = _recalls(scores, belongs)
    asked = belongs.any(0)  # a caption without an image cannot find one
    picture_r1, picture_r5 = _recalls(scores.t()[asked], belongs.t()[asked])
    n = len(images)
    found = {"r1": r1, "r5": r5, "chance": 1 / len(texts), "error": (r1 * (1 - r1) / n) ** 0.5, "pictures": n}
    return {**found, "picture_r1": picture_r1, "picture_r5": picture_r5}


def _recalls(scores: Float[Tensor, "q n"], right: Bool[Tensor, "q n"]) -> tuple[float, float]:
    """Share of the queries that have a right one among their best, and among their five best; nan where a score is no
    number, for then there is no order."""
    if bool(scores.isnan().any()):
        return math.nan, math.nan
    order = scores.argsort(dim=1, descending=True)
    hit = right.gather(1, order)
    return hit[:, 0].float().mean().item(), hit[:, :5].any(1).float().mean().item()


def zero_shot(images: Vectors, classes: Float[Tensor, "c d"], right: Sequence[int]) -> dict[str, float]:
    """Accuracy of image -> class, with its standard error; top 5 where there are more classes; `class_mean`: the mean
    of the classes' own accuracies, in which a large class counts no more than a small one.

    classes: an embedding each (`latents.zero_shot.label_embeddings`); right[i]: the class of image i.
    """
    found = retrieval(images, classes, right)
    truth = torch.tensor(list(right), device=images.device)
    hit = (images @ classes.t()).argmax(1) == truth
    means = [hit[truth == c].float().mean().item() for c in truth.unique()]
    top5 = {"top5": found["r5"]} if len(classes) > 5 else {}
    metrics = {"accuracy": found["r1"], "error": found["error"], **top5, "class_mean": sum(means) / len(means)}
    return {**metrics, "chance": found["chance"], "classes": len(classes), "pictures": len(images)}


def distinct(captions: Sequence[str]) -> tuple[list[str], list[int]]:
    """(the distinct captions in order, for each caption its index among them)."""
    numbers: dict[str, int] = {}
    return list(dict.fromkeys(captions)), [numbers.setdefault(c, len(numbers)) for c in captions]

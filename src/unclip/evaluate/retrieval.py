"""Does CLIP find a picture's caption? Recall among the distinct captions, beside chance."""

from collections.abc import Sequence

import torch

from unclip.core.typing import Float, Tensor, Vectors


def retrieval(images: Vectors, texts: Float[Tensor, "c d"], right: Sequence[int]) -> dict[str, float]:
    """R@1 and R@5 of picture -> caption. texts: one embedding a distinct caption; right[i]: the caption of picture i.

    `error` is the standard error of R@1; `chance` is 1 / captions.
    """
    order = (images @ texts.t()).argsort(dim=1, descending=True)
    found = order == torch.tensor(list(right), device=order.device)[:, None]
    r1, r5 = (found[:, :k].any(1).float().mean().item() for k in (1, 5))
    n = len(images)
    return {"r1": r1, "r5": r5, "chance": 1 / len(texts), "error": (r1 * (1 - r1) / n) ** 0.5, "pictures": n}


def distinct(captions: Sequence[str]) -> tuple[list[str], list[int]]:
    """(the distinct captions in order, for each caption its index among them)."""
    numbers: dict[str, int] = {}
    return list(dict.fromkeys(captions)), [numbers.setdefault(c, len(numbers)) for c in captions]

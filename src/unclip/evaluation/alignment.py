"""Do two lists of unit vectors belong together pair by pair? Matched cosines against shuffled ones."""

from collections.abc import Sequence

import torch

from unclip.core.typing import PerSample, Vectors


def matched_against_shuffled(a: Vectors, b: Vectors, captions: Sequence[str]) -> dict[str, float]:
    """Mean cosine of (a_i, b_i) and of (a_i, b_j) with j another caption's; `error` of their mean difference.

    Used for the CLIP score (images against captions) and for the prior (its embeddings against true ones).
    """
    other = torch.tensor(partners(captions), device=a.device)
    own, shuffled = (a * b).sum(1), (a * b[other]).sum(1)
    gap = own - shuffled
    return {
        "matched": own.mean().item(),
        "matched_error": standard_error(own),
        "shuffled": shuffled.mean().item(),
        "gap": gap.mean().item(),
        "error": standard_error(gap),
        "n": len(gap),
    }


def standard_error(x: PerSample) -> float:
    """Of the mean; nan for a single value."""
    return x.std().item() / len(x) ** 0.5 if len(x) > 1 else float("nan")


def partners(captions: Sequence[str]) -> list[int]:
    """For each caption the next one, cyclically, that differs; itself where all are equal."""
    n = len(captions)
    return [next(((i + k) % n for k in range(1, n) if captions[(i + k) % n] != captions[i]), i) for i in range(n)]

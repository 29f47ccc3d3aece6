"""Class accuracy by a classifier that knows the real images only: a linear one on a judge's features."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Int, Tensor
from unclip.data.classes import are_classes
from unclip.evaluation.sets.estimate import Estimate

STEPS, DECAY = 100, 1e-3
Labelled = tuple[Float[Tensor, "_ d"], Sequence[str]]
"""Features of images and their classes."""


def class_accuracy(sets: Mapping[str, Labelled], train: Labelled) -> dict[str, Any]:
    """Name -> accuracy of a logistic regression that was fitted to training images; nothing where captions are none
    of classes.

    sets: name -> features and classes, as the generated and the held-out real ones; the latter say how good the
    classifier is.
    """
    names = sorted(set(train[1]))
    if not are_classes(train[1]) or not all(set(names).issuperset(classes) for _, classes in sets.values()):
        return {}
    truth = torch.tensor([names.index(name) for name in train[1]])
    weights = fitted(train[0], truth, len(names))
    found: dict[str, Any] = {"classes": len(names), "chance": 1 / len(names)}
    for name, (features, classes) in sets.items():
        told = (_padded(features) @ weights).argmax(1)
        hits = int((told == torch.tensor([names.index(c) for c in classes])).sum())
        found[name] = Estimate.share(hits, len(classes)).figure()
    return found


def fitted(x: Float[Tensor, "n d"], truth: Int[Tensor, " n"], classes: int) -> Float[Tensor, "d1 c"]:
    """Weights of a multinomial logistic regression with a small weight decay: convex, so nothing is drawn."""
    weights = torch.zeros(x.shape[1] + 1, classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(_padded(x) @ weights, truth) + DECAY * weights.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return weights.detach()


def _padded(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d1"]:
    return F.pad(x, (0, 1), value=1.0)

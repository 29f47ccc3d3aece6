"""The supervised judge: one net that is asked many things at once about each image.

Of drawn scenes: their layout, how many objects, which silhouette, what surfaces, which fault; and as numbers: colours,
size, angle, the exponent of the spectrum, the strength of the fault. The answers are linear in the features, so that
what the net knows about an image lies open in them. Images of the user's own have a class each instead.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Int, Tensor
from unclip.judges.network import FeatureNet
from unclip.judges.procedural.scenes import AMOUNTS, NONE, questions


@dataclass(frozen=True, kw_only=True)
class AskedBatch(Batch):
    """A batch with what is true of each image, as of `Scenes`; `labels`, where given, are the user's classes."""

    classes: Int[Tensor, "b q"]
    amounts: Float[Tensor, "b a"]


class Supervised(nn.Module):
    """A `Task` that trains a `FeatureNet` to answer questions about drawn scenes, and the classes of a user's images.

    Args:
        net: the network.
        classes: how many classes the user's own images have; 0: none are trained on.
    """

    per_sample = False

    def __init__(self, net: FeatureNet, classes: int = 0) -> None:
        super().__init__()
        self.net, self.asked = net, questions()
        self.norm = nn.LayerNorm(net.read)
        self.answers = nn.Linear(net.read, sum(self.asked.values()) + len(AMOUNTS))
        self.own = nn.Linear(net.read, classes) if classes else None

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """Cross-entropies, each as a share of that of a guess, and half the squared errors of the amounts."""
        assert batch.images is not None
        features = self.norm(self.net.pooled(batch.images))
        if self.own is not None and batch.labels is not None:
            return self._own(self.own(features), batch.labels)
        assert isinstance(batch, AskedBatch)
        said = self.answers(features)
        total, parts, start = said.new_zeros(()), {}, 0
        for place, (name, many) in enumerate(self.asked.items()):
            truth = batch.classes[:, place]
            logits, start = said[:, start : start + many], start + many
            there = (truth != NONE).sum().clamp(min=1)
            error = F.cross_entropy(logits, truth, ignore_index=NONE, reduction="sum") / there
            total = total + error / torch.tensor(float(many)).log()
            right = (logits.detach().argmax(1) == truth).sum() / there
            parts[name] = right.item()
        known = batch.amounts.isfinite()
        wrong = torch.where(known, said[:, start:] - batch.amounts.nan_to_num(), 0.0).square()
        amounts = wrong.sum(0) / known.sum(0).clamp(min=1)
        parts |= dict(zip(AMOUNTS, amounts.tolist(), strict=True))
        return Losses((total + amounts.sum() / 2) / len(self.asked), parts)

    def _own(self, logits: Float[Tensor, "b k"], labels: Int[Tensor, " b"]) -> Losses:
        right = (logits.detach().argmax(1) == labels).float().mean()
        return Losses(F.cross_entropy(logits, labels), {"own classes": right.item()})

"""Contrastive losses in which equal captions of a batch are positives of each other.

Small data sets repeat captions; the plain loss would push such a picture away from its own caption.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.typing import Bool, Float

Square = Float[Tensor, "b b"]


def softmax_loss(logits: Square, positive: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """Mean of both directions' cross-entropy (Radford et al. 2021, fig. 3), targets uniform over the positives."""
    target = positive.float() / positive.sum(1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2


def sigmoid_loss(logits: Square, positive: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """-sum log sigmoid(+-logits) / b (Zhai et al. 2023, alg. 1), + for positives."""
    sign = torch.where(positive, 1.0, -1.0)
    return -F.logsigmoid(sign * logits).sum() / len(logits)

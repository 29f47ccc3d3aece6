"""Contrastive losses in which equal captions of a batch are positives of each other.

Small data sets repeat captions; the plain loss would push such a picture away from its own caption.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.typing import Bool, Float, Vectors

Square = Float[Tensor, "b b"]


def logits(images: Vectors, texts: Vectors, scale: float | Float[Tensor, ""]) -> Square:
    """scale f_i . g_j of unit vectors, a row a picture (Radford et al. 2021, fig. 3); scale: 1 / temperature.

    In float32 also under autocast: at the scale of 100 that CLIP reaches, bfloat16 rounds by up to 0.25.
    """
    with torch.autocast(images.device.type, enabled=False):
        return scale * images @ texts.t()


def softmax_loss(scores: Square, positive: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """Mean of both directions' cross-entropy (Radford et al. 2021, fig. 3), targets uniform over the positives."""
    target = positive.float() / positive.sum(1, keepdim=True)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.t(), target)) / 2


def sigmoid_loss(scores: Square, positive: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """-sum log sigmoid(+-scores) / b (Zhai et al. 2023, alg. 1), + for positives."""
    sign = torch.where(positive, 1.0, -1.0)
    return -F.logsigmoid(sign * scores).sum() / len(scores)

"""Contrastive losses in which equal captions of a batch are positives of each other.

Small data sets repeat captions; the plain loss would push such an image away from its own caption.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.typing import Bool, Float, Vectors

Square = Float[Tensor, "b b"]


def logits(images: Vectors, texts: Vectors, scale: float | Float[Tensor, ""]) -> Square:
    """scale f_i . g_j of unit vectors, a row an image (Radford et al. 2021, fig. 3); scale: 1 / temperature.

    In float32 also under autocast: at the scale of 100 that CLIP reaches, bfloat16 rounds by up to 0.25.
    """
    with torch.autocast(images.device.type, enabled=False):
        return scale * images @ texts.t()


def softmax_loss(scores: Square, positive: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """CLIP's loss (Radford et al. 2021, fig. 3): the mean of the cross-entropies over rows and over columns.

    Args:
        scores: similarity of image i and caption j over temperature, [b, b].
        positive: whether caption j belongs to image i, [b, b]; several may, and share the target evenly.
    """
    target = positive.float() / positive.sum(1, keepdim=True)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.t(), target)) / 2


def sigmoid_loss(scores: Square, positive: Bool[Tensor, "b b"]) -> Float[Tensor, ""]:
    """SigLIP's loss (Zhai et al. 2023, algorithm 1): a logistic loss for every pair, summed and divided by b.

    Args:
        scores: similarity of image i and caption j, scaled and shifted, [b, b].
        positive: whether caption j belongs to image i, [b, b].
    """
    sign = torch.where(positive, 1.0, -1.0)
    return -F.logsigmoid(sign * scores).sum() / len(scores)

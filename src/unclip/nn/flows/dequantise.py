"""Variational dequantisation (Flow++, Ho et al. 2019, section 3.1): where in its bin each value lies is learned.

    u = sigmoid(v),  v = exp(s(x, c)) (eps + t(x, c)),  eps ~ N(0, I)      log q(u|x) = log N(eps) - s - log u (1 - u)

s and t are given by a small network that sees the 8-bit image, half as large with four times the channels. Theirs is a
deeper flow of eps; this is one layer of it. At first s = t = 0.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.nn.flows.layers import ScaleShift


class Dequantiser(nn.Module):
    """From 8-bit images x [b, c, h, w] and one-hot vectors [b, k] to u in (0, 1) like x and log q(u|x), [b]."""

    def __init__(self, channels: int, width: int, blocks: int, classes: int) -> None:
        super().__init__()
        self.net = ScaleShift(4 * channels, 4 * channels, width, blocks, classes)

    def forward(self, x: Images, classes: Float[Tensor, "b k"], noise: Noise) -> tuple[Images, PerSample]:
        eps = noise.normal(x.shape).to(x.dtype)
        log_scale, shift = (F.pixel_shuffle(part, 2) for part in self.net(F.pixel_unshuffle(x, 2), classes))
        v = torch.exp(log_scale) * (eps + shift)
        log_slope = F.logsigmoid(v) + F.logsigmoid(-v)
        log_q = -(eps.square() + math.log(2 * math.pi)) / 2 - log_scale - log_slope
        return torch.sigmoid(v), log_q.flatten(1).sum(1)

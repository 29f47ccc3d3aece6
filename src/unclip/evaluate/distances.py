"""Distances between sets of pictures, from features of the run's own CLIP or from pixels."""

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images


def kid(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """Kernel distance (Binkowski et al. 2018, section 4): unbiased MMD^2 with the kernel (x.y/d + 1)^3.

    a, b: features [n, d] and [m, d], n, m >= 2. Zero in expectation where both come from one distribution.
    """
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    return (_off_diagonal_mean(aa) + _off_diagonal_mean(bb) - 2 * ab.mean()).item()


def kid_error(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], noise: Noise, halves: int = 100) -> float:
    """Standard error of `kid`: its spread over random halves of both sets.

    The delete-half jackknife (Shao & Wu 1989): the variance over halves estimates that of the whole. A bootstrap would
    repeat pictures, and repeated pictures are too near to themselves.
    """
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    values = []
    for _ in range(halves):
        i, j = (noise.uniform((len(x),)).argsort()[: max(2, len(x) // 2)].to(x.device) for x in (a, b))
        value = _off_diagonal_mean(aa[i][:, i]) + _off_diagonal_mean(bb[j][:, j]) - 2 * ab[i][:, j].mean()
        values.append(value)
    return torch.stack(values).std().item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x.double() @ y.double().t() / x.shape[1] + 1) ** 3


def _off_diagonal_mean(k: Float[Tensor, "n n"]) -> Tensor:
    n = len(k)
    return (k.sum() - k.diagonal().sum()) / (n * (n - 1))


def roughness(x: Images) -> float:
    """Mean absolute difference of neighbouring pixels: noise has several times that of pictures."""
    return ((x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()) / 2).item()


def sharpness(x: Images) -> float:
    """Root mean square difference of neighbouring pixels: a blurred edge has less than a sharp one."""
    return ((x.diff(dim=-1).square().mean() + x.diff(dim=-2).square().mean()) / 2).sqrt().item()

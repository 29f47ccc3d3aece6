"""Distances between sets of pictures, from features of the run's own CLIP or from pixels."""

from torch import Tensor

from unclip.core.typing import Float, Images


def kid(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """Kernel distance (Binkowski et al. 2018, section 4): unbiased MMD^2 with the kernel (x.y/d + 1)^3.

    a, b: features [n, d] and [m, d], n, m >= 2. Zero in expectation where both come from one distribution.
    """
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    return (_off_diagonal_mean(aa) + _off_diagonal_mean(bb) - 2 * ab.mean()).item()


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

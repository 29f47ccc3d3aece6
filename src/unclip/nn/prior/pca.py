"""Principal components of a set of vectors."""

import torch
from torch import Tensor, nn

from unclip.core.typing import Float, Vectors
from unclip.core.wide import wide


def principal(x: Vectors) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"], Float[Tensor, " d"]]:
    """(mean, components, variances): columns are the covariance's eigenvectors, the largest variance first.

    x: [n, d]. In float64; a column's sign makes its largest entry positive, so that it does not depend on the machine.
    """
    x = wide(x)
    mean = x.mean(0)
    variances, vectors = torch.linalg.eigh((x - mean).t() @ (x - mean) / max(1, len(x) - 1))
    variances, vectors = variances.flip(0).clamp(min=0), vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return mean, vectors * largest.sign(), variances


def needed(variances: Float[Tensor, " d"], explained: float) -> int:
    """How many of the components, the largest first, hold this share of the variance; at least 1.

    Raises ValueError for a share that is not in (0, 1].
    """
    if not 0 < explained <= 1:
        raise ValueError(f"explained = {explained}: a share of the variance, above 0 and at most 1")
    share = variances.cumsum(0) / variances.sum().clamp(min=1e-12)
    return min(len(variances), int((share < explained - 1e-6).sum()) + 1)


class PCA(nn.Module):
    """x [n, d] -> coordinates [n, k] along the first k principal components, and back. Travels with the model.

    In float32 also under autocast: bfloat16 would put a third of the codes into a neighbour of 1,024 buckets.
    """

    def __init__(self, d: int, k: int) -> None:
        super().__init__()
        if not 1 <= k <= d:
            raise ValueError(f"dims = {k}: of {d} components, keep 1 to {d}")
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("components", torch.eye(d)[:, :k].clone())
        self.mean: Tensor
        self.components: Tensor

    def fit(self, x: Vectors) -> None:
        """Takes mean and components of these vectors."""
        mean, components, _ = principal(x)
        self.mean.copy_(mean)
        self.components.copy_(components[:, : self.components.shape[1]])

    def forward(self, x: Vectors) -> Float[Tensor, "n k"]:
        with torch.autocast(x.device.type, enabled=False):
            return (x - self.mean) @ self.components

    def inverse(self, y: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        """The vectors with these coordinates and 0 along every other component."""
        with torch.autocast(y.device.type, enabled=False):
            return self.mean + y @ self.components.t()

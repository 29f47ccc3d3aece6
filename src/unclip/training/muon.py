"""Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers"): steps that are orthogonal matrices.

AdamW scales each number of a gradient alone; Muon scales its singular values, all to about 1, so directions that a
batch shows only weakly are learned as fast as the strong ones. Where steps are few that is worth its price.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from unclip.core.imports.compiler import Uncompiled
from unclip.core.typing import Float
from unclip.training.sharded.parted import Parts, Undivided

QUINTIC = (3.4445, -4.7750, 2.0315)
"""p(s) = a s + b s^3 + c s^5, repeated five times, carries singular values in (0.005, 1] into about [0.68, 1.14]."""
ITERATIONS = 5


def orthogonalized(x: Float[Tensor, "k m n"]) -> Float[Tensor, "k m n"]:
    """U V^T of each matrix U S V^T, nearly: the iteration of `QUINTIC`, for m <= n.

    p(X) = (a + b G + c G^2) X with G = X X^T, and every iterate is a polynomial of the first G times X. So all the
    products but two are of m x m matrices, a third of the usual arithmetic where n is 9 m, as in 3x3 convolutions.
    """
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    gram = x @ x.mT
    factor = product = _factor(gram)
    for _ in range(ITERATIONS - 1):
        gram = factor @ gram @ factor
        factor = _factor(gram)
        product = factor @ product
    return product @ x


def _factor(gram: Tensor) -> Tensor:
    """a + b G + c G^2."""
    a, b, c = QUINTIC
    factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=1, dim2=2).add_(a)
    return factor


class Muon(Uncompiled):
    """The optimiser Muon (Jordan et al. 2024): steps that are nearly orthogonal matrices.

        W <- (1 - lr decay) W - 0.2 sqrt(max(m, n)) lr orthogonalized(Nesterov momentum)

    The factor makes a step's root mean square that of AdamW's (Liu et al. 2025, Eq. 4), so both take similar rates.
    Convolutions count as matrices [out, in * kernel].

    Args:
        params: weights of two or more dimensions.
        lr: the learning rate.
        decay: the weight decay.
        momentum: the decay of the mean gradient.
        parts: where processes share a matrix out: only the whole can be orthogonalised, so its direction is gathered.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        decay: float,
        momentum: float = 0.95,
        parts: Parts | None = None,
    ) -> None:
        super().__init__(list(params), {"lr": lr, "weight_decay": decay, "momentum": momentum})
        self.parts = parts or Undivided()

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Takes a step. Matrices of one shape are orthogonalised together."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(tuple(self.parts.shape(p)), []).append(p)
            for parameters in shapes.values():
                self._update(parameters, group)

    def _update(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        whole = [self.parts.gathered(p, self._direction(p, group["momentum"])) for p in parameters]
        wide = torch.stack([direction.flatten(1) for direction in whole])
        tall = wide.shape[1] > wide.shape[2]
        steps = orthogonalized(wide.mT if tall else wide)
        scale = 0.2 * max(wide.shape[1:]) ** 0.5
        for p, step in zip(parameters, steps.mT if tall else steps, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(self.parts.own(p, step.reshape(self.parts.shape(p))), alpha=-group["lr"] * scale)

    def _direction(self, p: nn.Parameter, momentum: float) -> Tensor:
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        average: Tensor = state["momentum"].lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(average, momentum)

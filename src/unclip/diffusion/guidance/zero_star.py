"""CFG-Zero* (Fan et al. 2025): the null velocity is first scaled to fit the conditional one.

With u the velocity:

    u = s u_null + scale (u_cond - s u_null),   s = <u_cond, u_null> / |u_null|^2   for each sample

so that an error in the null's length is not amplified. And in the first steps u = 0, the state stays: where a network
is not well trained, its first velocities are worse than none.

The paper is about flow matching, u = eps - x0. The state here is variance preserving; its path moves with
v = alpha eps - sigma x0 (dx/dphi for tan phi = sigma/alpha), for which the same least-squares argument holds. So `v`
is the default; u = 0 then means x0 = alpha x, eps = sigma x. `flow` is the paper's own, for a model on
`RectifiedFlow`. The two differ in s. Both are u = a eps - b x0, so x0 = (a x - sigma u) / (a alpha + b sigma).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from unclip.core.condition import Condition
from unclip.core.config.ranges import Range, Signed
from unclip.core.typing import Float, LogSNR, State, Tensor
from unclip.diffusion.denoiser import ConditionalDenoise, Prediction
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, branches, guided
from unclip.diffusion.level import alpha, like, sigma


@dataclass(frozen=True)
class ZeroStar(Guidance):
    """CFG-Zero* (Fan et al. 2025): the null velocity is first scaled to fit the conditional one.

    Args:
        scale: how strong it is; 1: no guidance but for the first steps.
        zero_steps: in so many first steps the state stays as it is.
        velocity: "v" of the variance-preserving path, or the paper's "flow", for a model on `RectifiedFlow`.
    """

    scale: Signed = 3.0
    zero_steps: Annotated[int, Range(0, 100_000)] = 1
    velocity: Literal["v", "flow"] = "v"

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        both, first = branches(denoiser, cond, null), FirstLevels(self.zero_steps)

        def at(x: State, log_snr: LogSNR) -> Guided:
            if first.has(log_snr):
                still = self.clean(torch.zeros_like(x), x, log_snr)
                return guided(still, x, log_snr, denoiser(x, log_snr, cond))
            with_cond, without = both(x, log_snr)
            u, u_null = (self.of(p, log_snr) for p in (with_cond, without))
            u_null = best_scale(u, u_null) * u_null
            return guided(self.clean(u_null + self.scale * (u - u_null), x, log_snr), x, log_snr, with_cond)

        return at

    def coefficients(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """The factors (a, b) of the velocity u = a eps - b x0."""
        one = torch.ones_like(level)
        return (alpha(level), sigma(level)) if self.velocity == "v" else (one, one)

    def of(self, p: Prediction, log_snr: LogSNR) -> Tensor:
        """The velocity that belongs to a prediction."""
        a, b = self.coefficients(like(log_snr, p.x0))
        return a * p.eps - b * p.x0

    def clean(self, u: State, x: State, log_snr: LogSNR) -> Tensor:
        """The clean estimate that has this velocity."""
        level = like(log_snr, x)
        a, b = self.coefficients(level)
        return (a * x - sigma(level) * u) / (a * alpha(level) + b * sigma(level))


def best_scale(u: State, u_null: State) -> Float[Tensor, "b ..."]:
    """s that minimises |u - s u_null|^2 for each sample, shaped to multiply it."""
    of_each = tuple(range(1, u.dim()))
    dot, square = (u * u_null).sum(of_each, keepdim=True), u_null.square().sum(of_each, keepdim=True)
    return dot / square.clamp(min=1e-8)


class FirstLevels:
    """The first n different levels that are asked for; a solver may ask for one several times."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.levels: list[Tensor] = []

    def has(self, log_snr: LogSNR) -> bool:
        """Whether this level is among them."""
        known = any(torch.equal(log_snr, level) for level in self.levels)
        if not known and len(self.levels) < self.n:
            self.levels.append(log_snr)
            return True
        return known

"""The polynomial of EDM: s = sigma/alpha = exp(-l/2) with s^(1/rho) linear (Karras et al. 2022, Eq. 5)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.config.ranges import Sigma, Spread
from unclip.core.typing import Float, LogSNR
from unclip.core.wide import narrow, wide
from unclip.diffusion.schedules.base import Schedule, check_steps, to_clean


def polynomial(t: Float[Tensor, "..."], s_min: float, s_max: float, rho: float) -> LogSNR:
    """log-SNR at t in [0, 1] of s = (s_min^(1/rho) + t (s_max^(1/rho) - s_min^(1/rho)))^rho, in float64."""
    low, high = s_min ** (1 / rho), s_max ** (1 / rho)
    return -2 * rho * torch.log(low + wide(t).clamp(0, 1) * (high - low))


def karras_levels(steps: int, s_min: float, s_max: float, rho: float) -> Float[Tensor, " steps"]:
    """Eq. 5 itself: `steps` levels from s_max to s_min, both included, in float64. Raises ValueError at steps < 1."""
    check_steps(steps)
    return polynomial(torch.linspace(1, 0, steps, dtype=torch.float64), s_min, s_max, rho)


def check_polynomial(s_min: float, s_max: float, rho: float) -> None:
    """Raises ValueError where these do not describe a range of s or a power."""
    if not 0 < s_min < s_max:
        raise ValueError(f"s_min = {s_min}, s_max = {s_max}: need 0 < s_min < s_max")
    if not rho > 0:
        raise ValueError(f"rho = {rho}: the power must be above 0; EDM uses 7")


@dataclass(frozen=True)
class Karras(Schedule):
    """EDM's polynomial schedule (Karras et al. 2022, Eq. 5), for training and sampling: s^(1/rho) is linear in t.

    Args:
        s_min: sigma/alpha at the clean end.
        s_max: sigma/alpha at the noisy end.
        rho: the exponent; the larger, the nearer to linear in log-SNR.
    """

    s_min: Sigma = 0.002
    s_max: Sigma = 80.0
    rho: Spread = 7.0

    def __post_init__(self) -> None:
        check_polynomial(self.s_min, self.s_max, self.rho)

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        return narrow(polynomial(t, self.s_min, self.s_max, self.rho), t)

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """The grid of Karras et al. 2022, Eq. 5: both ends of s are used, then the step to zero noise."""
        return to_clean(karras_levels(steps, self.s_min, self.s_max, self.rho), device)

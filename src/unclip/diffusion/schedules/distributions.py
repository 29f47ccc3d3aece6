"""Schedules stated as the distribution of the training levels; t is its quantile.

LogNormal    ln(sigma/alpha) ~ N(mean, std^2) (Karras et al. 2022, table 1), sampling on Karras steps
LogitNormal  logit of flow time ~ N(mean, std^2) (Esser et al. 2024, Eq. 19), sampling on even flow times
Laplace      log-SNR ~ Laplace(mu, b) (Hang et al. 2024), sampling on the cosine schedule (our choice)
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.ranges import Limit, Range, Sigma, Spread
from unclip.core.typing import Float, LogSNR
from unclip.core.untyped import ndtri
from unclip.core.wide import narrow, wide
from unclip.diffusion.schedules.base import Clipped, Schedule, to_clean
from unclip.diffusion.schedules.continuous import Cosine, RectifiedFlow
from unclip.diffusion.schedules.karras import check_polynomial, karras_levels


def normal_quantile(t: Float[Tensor, "..."], mean: float, std: float) -> Float[Tensor, "..."]:
    """The t-quantile of N(mean, std^2) in float64, 1e-7 away from both ends at least."""
    return mean + std * ndtri(wide(t).clamp(1e-7, 1 - 1e-7))


@dataclass(frozen=True)
class LogNormal(Schedule):
    """EDM's schedule (Karras et al. 2022, table 1): training draws ln s from a normal distribution, s = sigma/alpha.

    Sampling uses s^(1/rho) in even steps from s_max to s_last, and from there one step to the estimated clean image.

    Args:
        mean: the mean of ln s in training.
        std: the standard deviation of ln s in training.
        s_min: s at the clean end of what is trained.
        s_max: s at the noisy end of what is trained, where sampling starts.
        rho: the exponent of the steps of sampling.
        s_last: s from which sampling takes its last step; 0: s_min. Where training seldom draws levels as low as s_min,
            steps there add grain (docs/experiments.md#where-the-last-step-begins).

    Raises:
        ValueError: where s_max is not above s_min and s_last, or s_last is below s_min.
    """

    mean: Annotated[float, Range(-20, 20)] = -1.2
    std: Spread = 1.2
    s_min: Sigma = 0.002
    s_max: Sigma = 80.0
    rho: Spread = 7.0
    s_last: Annotated[float, Range(0, 1e6)] = 0.0

    def __post_init__(self) -> None:
        check_polynomial(self.s_min, self.s_max, self.rho)
        if self.s_last and not self.s_min <= self.s_last < self.s_max:
            raise ValueError(
                f"s_last = {self.s_last}: must lie from s_min = {self.s_min} to below s_max = {self.s_max}, or be 0, "
                "which is s_min"
            )

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        log_s = normal_quantile(t, self.mean, self.std).clamp(math.log(self.s_min), math.log(self.s_max))
        return narrow(-2 * log_s, t)

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """Karras et al. 2022, Eq. 5, with the step to zero appended."""
        return to_clean(karras_levels(steps, self.s_last or self.s_min, self.s_max, self.rho), device)


@dataclass(frozen=True)
class LogitNormal(Clipped):
    """Stable Diffusion 3's schedule (Esser et al. 2024, Eq. 19): in training, the logit of flow time is normal.

    Flow time is t = sigma/(alpha + sigma), so the logit is ln(sigma/alpha). Sampling uses even steps of flow time.

    Args:
        mean: the mean of the logit; above 0: noisier.
        std: the standard deviation of the logit.
        limit: the log-SNR is clipped to [-limit, limit].
    """

    mean: Annotated[float, Range(-20, 20)] = 0.0
    std: Spread = 1.0
    limit: Limit = 15.0

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        return self.clipped(-2 * normal_quantile(t, self.mean, self.std), t)

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """The grid for sampling: even steps of flow time."""
        return RectifiedFlow(self.limit).grid(steps, device)


@dataclass(frozen=True)
class Laplace(Clipped):
    """Training levels of which most lie near log-SNR mu (Hang et al. 2024): they follow a Laplace distribution.

        log-SNR = mu - b sign(1/2 - t) log(1 - 2 |t - 1/2|)

    Args:
        mu: the centre, a log-SNR.
        b: the width of the distribution.
        limit: the log-SNR is clipped to [-limit, limit].
    """

    mu: Annotated[float, Range(-20, 20)] = 0.0
    b: Spread = 0.5
    limit: Limit = 15.0

    def __call__(self, t: Float[Tensor, "..."]) -> LogSNR:
        from_middle = 0.5 - wide(t).clamp(0, 1)
        tail = torch.log1p(-2 * from_middle.abs())
        return self.clipped(self.mu - self.b * from_middle.sign() * tail, t)

    def grid(self, steps: int, device: torch.device | str = "cpu") -> Float[Tensor, " points"]:
        """The cosine schedule's grid: quantiles of so narrow a distribution would cross all the noise in one step."""
        return Cosine(limit=self.limit).grid(steps, device)

"""The variational bound on -log p(x_0), DDPM's Eq. 5, in bits a dimension, with its parts.

    L_T            KL(q(x_T | x_0) || N(0, I)): what the noisiest state still knows (`forward.terminal_kl`)
    sum L_{t-1}    KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), t = 2..T (`terms`)
    L_0            -log p(x_0 | x_1) by the discretised decoder, Eq. 13 (`decoder`)

Each L_{t-1} is taken at one x_t drawn from q(x_t | x_0), so the sum is unbiased. Over all t, or over a stratified few
of them for each image, weighed by the inverse of how often they are drawn: still unbiased. A step is drawn half by
the time it takes and half by the log-SNR it crosses, as most bits are spent in few, large steps at the clean end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range
from unclip.core.noise import Noise
from unclip.core.typing import Float, Int, LogSNR, PerSample, State
from unclip.core.untyped import floats
from unclip.core.wide import wide
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.forward import terminal_kl
from unclip.diffusion.level import noised
from unclip.diffusion.likelihood.bits import Estimate, bits_a_dimension
from unclip.diffusion.likelihood.decoder import DiscretisedGaussian, PixelLikelihood
from unclip.diffusion.likelihood.terms import Variance, last_log_variance, mix_of, step_kl


@dataclass(frozen=True)
class BoundSettings(Config):
    """How the variational bound is computed.

    Args:
        variance: of p(x_{t-1} | x_t): "beta", "beta_tilde", or "learned" by the network.
        decoder: the likelihood of the data at the last step.
        at: how many of the T - 1 steps are evaluated for each sample; 0: all.
    """

    variance: Variance = "beta"
    decoder: PixelLikelihood = DiscretisedGaussian()
    at: Annotated[int, Range(0, 100_000)] = 0


@dataclass(frozen=True)
class Bound:
    """The variational bound of a batch of b samples, in bits per dimension; `total` is the bound itself.

    Visit j of sample b is the step away from levels[index[b, j]].

    Args:
        levels: the log-SNR of x_T, ..., x_1, [T].
        terminal: L_T, what the noisy end costs, [b].
        decoder: L_0, what the last step costs, [b].
        decoder_mse: the mean squared error of the clean estimate at the last level, [b].
        index: which steps were visited, [b, n].
        weight: how many steps each visit stands for, [b, n].
        kl: what each visited step costs, [b, n].
        mse: the mean squared error of the clean estimate at each visit, [b, n].
    """

    levels: Float[Tensor, " T"]
    terminal: PerSample
    decoder: PerSample
    decoder_mse: PerSample
    index: Int[Tensor, "b n"]
    weight: Float[Tensor, "b n"]
    kl: Float[Tensor, "b n"]
    mse: Float[Tensor, "b n"]

    @property
    def steps(self) -> PerSample:
        """The sum over t of L_{t-1} for each sample, [b], estimated from the steps that were visited."""
        return (self.weight * self.kl).sum(1)

    @property
    def total(self) -> PerSample:
        """The bound for each sample, [b]: L_T, the steps and L_0 together."""
        return self.terminal + self.steps + self.decoder


@dataclass(frozen=True)
class BoundSummary:
    """Means over all samples of the bound and its three parts, in bits per dimension, each with its standard error."""

    total: Estimate
    terminal: Estimate
    steps: Estimate
    decoder: Estimate


def summarise(bounds: Sequence[Bound]) -> BoundSummary:
    """Means and standard errors over the bounds of all batches.

    Where few steps were visited, the standard error holds their choice, too.
    """
    parts = {name: Estimate.of(torch.cat([getattr(b, name) for b in bounds])) for name in BoundSummary.__annotations__}
    return BoundSummary(**parts)


@torch.no_grad()
def variational_bound(
    denoise: Denoise, grid: LogSNR, x0: State, noise: Noise, how: BoundSettings = BoundSettings()
) -> Bound:
    """Computes the variational bound of a batch (DDPM, Ho et al. 2020, Eq. 5), in bits per dimension.

    It takes T evaluations of the network, or how.at + 1. With `Noise.per_sample` no sample depends on its neighbours.

    Args:
        denoise: the denoiser, without guidance.
        grid: the levels of the reverse process, which end at +inf: `schedule.grid(T)`.
        x0: clean samples, [b, ...]; images as 8-bit values k/127.5 - 1.
        noise: where the noise is drawn from.
        how: the variance, the decoder, and how many steps are evaluated.

    Raises:
        ValueError: where the grid does not rise to +inf, x0 does not suit the decoder, or no variance was learned.
    """
    levels = _finite_part(grid)
    how.decoder.check(x0)
    chosen = _chosen(levels, how.at, len(x0), noise)
    visits = [_visit(denoise, levels, visit, x0, noise, how) for visit in chosen]
    decoder, decoder_mse = _last(denoise, levels, x0, noise, how)
    empty = x0.new_zeros((len(x0), 0))
    columns = [torch.stack(c, dim=1) for c in zip(*visits, strict=True)] or [empty.long(), empty, empty, empty]
    return Bound(levels, terminal_kl(x0, levels[0]), decoder, decoder_mse, *columns)


def _finite_part(grid: LogSNR) -> Float[Tensor, " T"]:
    if not (len(grid) > 1 and grid[-1] == math.inf and (grid.diff() > 0).all()):
        raise ValueError(f"grid = {floats(grid)[-3:]} at its end: must rise to +inf, as Schedule.grid does")
    return grid[:-1]


def _chosen(levels: Float[Tensor, " T"], at: int, batch: int, noise: Noise) -> list[tuple[Tensor, Tensor]]:
    """(index, weight) of the steps to visit: each one for all images, or `at` for each, stratified."""
    steps = len(levels) - 1
    if at == 0 or at >= steps:
        return [(torch.tensor(i, device=levels.device), levels.new_ones(())) for i in range(steps)]
    crossed = wide(levels).diff()
    share = (1 / steps + crossed / crossed.sum()) / 2
    ends, offset = share.cumsum(0), wide(noise.uniform((batch,)))
    found = [torch.searchsorted(ends, (j + offset) / at * ends[-1], right=True).clamp(max=steps - 1) for j in range(at)]
    return [(index.to(levels.device), (1 / (at * share[index])).to(levels)) for index in found]


def _predict(denoise: Denoise, level: LogSNR, x0: State, noise: Noise) -> Prediction:
    return denoise(noised(x0, level, noise.normal(x0.shape).to(x0.dtype)), level)


def _visit(
    denoise: Denoise,
    levels: Float[Tensor, " T"],
    visit: tuple[Tensor, Tensor],
    x0: State,
    noise: Noise,
    how: BoundSettings,
) -> tuple[Int[Tensor, " b"], PerSample, PerSample, PerSample]:
    """(index, weight, L_{t-1}, mean squared error of the clean estimate)."""
    index, weight = (part.expand(len(x0)) for part in visit)
    t, s = levels[visit[0]], levels[visit[0] + 1]
    p = _predict(denoise, t, x0, noise)
    kl = step_kl(x0, p.x0, mix_of(p, how.variance), t, s)
    return index, weight, kl, (x0 - p.x0).square().flatten(1).mean(1)


def _last(
    denoise: Denoise, levels: Float[Tensor, " T"], x0: State, noise: Noise, how: BoundSettings
) -> tuple[PerSample, PerSample]:
    """(L_0, mean squared error) at the cleanest level. One step alone has no beta-tilde: it takes beta."""
    p = _predict(denoise, levels[-1], x0, noise)
    before = levels[-2] if len(levels) > 1 else levels.new_tensor(-math.inf)
    log_variance = last_log_variance(x0, mix_of(p, how.variance), levels[-1], before)
    nats = how.decoder.nats(x0, p.x0, log_variance)
    return bits_a_dimension(nats, x0), (x0 - p.x0).square().flatten(1).mean(1)

"""The exact likelihood of the probability-flow ODE (Song et al. 2021b, section 4.3 and appendix D.2), in the log-SNR l.

    dx/dl = (alpha sigma / 2)(sigma x0_hat - alpha eps_hat) = -(alpha sigma / 2) v_hat
    log p(x_clean) = log N(x_noisy; 0, I) + integral from the clean to the noisy end of tr(d(dx/dl)/dx) dl

A data point u enters at the clean end as x = alpha u, which is its mean there: log p(u) = log p(x) + D log alpha. So
the density is that of the data with noise of size sigma/alpha at the clean end.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.typing import PerSample, State
from unclip.core.wide import wide
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.likelihood.bits import LEVELS, dequantised, quantisation_bits
from unclip.diffusion.likelihood.ode import RK45, Parts, Solver
from unclip.diffusion.likelihood.trace import Probes, Rademacher, Trace, trace


@dataclass(frozen=True)
class FlowSettings(Config):
    """How the likelihood of the probability-flow ODE is computed.

    Args:
        solver: integrates the ODE: `RK45`, `RK4`, or `Heun` of `unclip.diffusion.likelihood`.
        trace: estimates the trace of the Jacobian: `Rademacher`, `GaussianProbes` or `ExactTrace`.
    """

    solver: Solver = RK45()
    trace: Trace = Rademacher()


@dataclass(frozen=True)
class FlowBits:
    """The likelihood of a batch by the probability-flow ODE, in bits per dimension.

    Args:
        bits: the sum of the parts, and for images of what their discreteness adds, [b].
        latent: -log2 of the density of the noise that the ODE leads to, [b].
        volume: what the change of volume on the way adds, [b].
        x: that noise, [b, ...].
        evaluations: how often the network was evaluated.
    """

    bits: PerSample
    latent: PerSample
    volume: PerSample
    x: State
    evaluations: int


def flow_bits(
    denoise: Denoise, ends: tuple[float, float], x0: State, noise: Noise, how: FlowSettings = FlowSettings()
) -> FlowBits:
    """-log2 of the density at x0, a dimension, between the log-SNRs `ends` = (noisy, clean): `grids.ends(schedule)`.

    Float32 or float64, as x0 is. The denoiser must be differentiable in x; one that clamps x0 is only almost so: take
    it without `within`. Raises ValueError where the ends do not rise or the solver does not arrive.
    """
    noisy, clean = ends
    if not noisy < clean:
        raise ValueError(f"ends = {ends}: the log-SNR must rise from the noisy to the clean end")
    probes = how.trace.draw(x0, noise)

    def field(y: Parts, l: float) -> Parts:
        return _field(denoise, y[0], x0.new_tensor(l), probes)

    start = alpha(x0.new_tensor(clean))
    found = how.solver(field, (start * x0, x0.new_zeros(len(x0))), clean, noisy)
    x, traced = found.y
    latent = (math.log(2 * math.pi) + wide(x).square().flatten(1).mean(1)) / 2
    volume = -wide(traced) - wide(start.log())
    to_bits = 1 / math.log(2)
    latent, volume = (latent * to_bits).to(x0), (volume * to_bits).to(x0)
    return FlowBits(latent + volume, latent, volume, x, found.evaluations)


def flow_likelihood(
    denoise: Denoise,
    ends: tuple[float, float],
    x0: State,
    noise: Noise,
    how: FlowSettings = FlowSettings(),
    levels: int = LEVELS,
) -> FlowBits:
    """Bits per dimension of 8-bit images, by the probability-flow ODE (Song et al. 2021b, section 4.3); an upper bound.

    The values are dequantised evenly over their bins. The denoiser must be differentiable in x and should not clamp x0.

    Args:
        denoise: the denoiser, without guidance.
        ends: the log-SNR of the (noisy, clean) end: `ends(schedule)`.
        x0: images in [-1, 1], [b, ...], float32 or float64.
        noise: where the dequantisation and the probes are drawn from.
        how: the solver and the trace.
        levels: the number of values that a channel has.

    Raises:
        ValueError: where the ends do not rise or the solver does not arrive.
    """
    found = flow_bits(denoise, ends, dequantised(x0, noise, levels), noise, how)
    bits = found.bits + quantisation_bits(levels)
    return FlowBits(bits, found.latent, found.volume, found.x, found.evaluations)


def _field(denoise: Denoise, x: State, l: Tensor, probes: Probes) -> Parts:
    """(dx/dl, its trace divided by the number of dimensions)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        p = denoise(x, l)
        a, s = alpha(l), sigma(l)
        slope = a * s / 2 * (s * p.x0 - a * p.eps)
        traced = trace(slope, x, probes)
    return slope.detach(), traced.detach() / x[0].numel()

"""The joint density of a whole reverse chain, p(x_0:T) = p(x_T) prod_t p(x_{t-1} | x_t) (DDPM, section 2), beside q's.

    -log p(x_0:T)         = -log N(x_T; 0, I) - sum_{t>1} log N(x_{t-1}; mu_theta, Sigma) - log p(x_0 | x_1)
    -log q(x_1:T | x_0)   = -log q(x_T | x_0) - sum_{t>1} log q(x_{t-1} | x_t, x_0)

Both along one chain that is drawn from q, so the mean of their difference is the variational bound (DDPM, Eq. 3); it
is the same number as Eq. 5, without the divergences in closed form, and so with more noise.
"""

import math
from dataclasses import dataclass

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, LogSNR, State, Tensor
from unclip.core.wide import wide
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.forward import Gaussian, chain, posterior
from unclip.diffusion.level import alpha, forgotten, sigma
from unclip.diffusion.likelihood.bits import bits_a_dimension
from unclip.diffusion.likelihood.decoder import GaussianDensity, PixelLikelihood
from unclip.diffusion.likelihood.terms import Variance, last_log_variance, mix_of


@dataclass(frozen=True)
class Joint:
    """Bits a dimension of every factor, from x_T to x_0: of the model's chain and of the posterior's, [b, T + 1]; q has
    none for the last step, which is 0."""

    p: Float[Tensor, "b factors"]
    q: Float[Tensor, "b factors"]


@torch.no_grad()
def joint_bits(
    denoise: Denoise,
    grid: LogSNR,
    x0: State,
    noise: Noise,
    variance: Variance = "beta",
    decoder: PixelLikelihood = GaussianDensity(),
) -> Joint:
    """-log2 of the factors of p(x_0:T) and of q(x_1:T | x_0) along chains x_1 ... x_T that are drawn from q.

    Args:
        denoise: the denoiser, without guidance.
        grid: the levels of the chain, noisy to clean, +inf last.
        x0: where the chains begin, [b, ...].
        noise: of their steps.
        variance: of the model's steps.
        decoder: the likelihood of the data at the last step.

    Raises ValueError where the grid does not rise to +inf, or no variance was learned.
    """
    states = [noised.x for noised in chain(x0, grid, noise)][::-1]
    start = grid[0]
    q = [_nats(states[0], Gaussian(alpha(start) * x0, sigma(start).square()), x0)]
    p = [_nats(states[0], Gaussian(torch.zeros_like(x0), torch.ones(())), x0)]
    for i in range(len(states) - 1):
        t, s, x, further = grid[i], grid[i + 1], states[i], states[i + 1]
        q.append(_nats(further, posterior(x, x0, t, s), x0))
        p.append(_nats(further, _step(denoise, x, t, s, variance), x0))
    last, before = grid[-2], grid[-3] if len(grid) > 2 else grid.new_tensor(-math.inf)
    guess = denoise(states[-1], last)
    log_variance = last_log_variance(x0, mix_of(guess, variance), last, before)
    p.append(bits_a_dimension(decoder.nats(x0, guess.x0, log_variance), x0))
    q.append(torch.zeros_like(p[-1]))
    return Joint(torch.stack(p, dim=1), torch.stack(q, dim=1))


def _step(denoise: Denoise, x: State, t: LogSNR, s: LogSNR, variance: Variance) -> Gaussian:
    """p(x_s | x_t): the posterior about the network's estimate, its variance between beta-tilde and beta."""
    guess = denoise(x, t)
    mix = mix_of(guess, variance)
    low, high = sigma(s).square(), sigma(t).square()
    c = wide(forgotten(t, s))
    return Gaussian(posterior(x, guess.x0, t, s).mean, c * wide(low) ** (1 - mix) * wide(high) ** mix)


def _nats(x: State, by: Gaussian, x0: State) -> Float[Tensor, " b"]:
    """-log2 N(x; mean, variance), bits a dimension."""
    return bits_a_dimension(GaussianDensity().nats(x, by.mean, wide(by.variance).log()), x0)

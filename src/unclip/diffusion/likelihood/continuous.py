"""The bound in continuous time (VDM, Kingma et al. 2021, Eq. 11-18): T -> infinity, where the schedule's shape is lost.

    -log p(x_0) <= L_T + 1/2 integral over the log-SNR of E|eps - eps_hat|^2 + L_0

Between the two ends every unit of log-SNR counts the same. The integral is estimated at levels that are even in the
log-SNR, one in each of n equal parts, at an offset of each image's own.
"""

import torch
from torch.nn.functional import logsigmoid

from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, PerSample, State
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.forward import terminal_kl
from unclip.diffusion.level import noised
from unclip.diffusion.likelihood.bits import bits_a_dimension
from unclip.diffusion.likelihood.bound import Bound
from unclip.diffusion.likelihood.decoder import DiscretisedGaussian, PixelLikelihood


@torch.no_grad()
def continuous_bound(
    denoise: Denoise,
    ends: tuple[float, float],
    x0: State,
    noise: Noise,
    n: int = 32,
    decoder: PixelLikelihood = DiscretisedGaussian(),
) -> Bound:
    """Computes the variational bound in continuous time (VDM, Kingma et al. 2021, Eq. 11-18), in bits per dimension.

    It takes n + 1 evaluations of the network. The decoder's variance is beta = sigma^2 at the clean end. In the result,
    `levels` are the noisy ends of n parts of the log-SNR and the clean end, and `index` counts the parts.

    Args:
        denoise: the denoiser, without guidance.
        ends: the log-SNR of the (noisy, clean) end: `ends(schedule)`.
        x0: clean samples, [b, ...].
        noise: where the levels and the noise are drawn from.
        n: the number of levels for each sample.
        decoder: the likelihood of the data at the clean end.

    Raises:
        ValueError: where the ends do not rise, n < 1, or x0 does not suit the decoder.
    """
    noisy, clean = ends
    if not noisy < clean:
        raise ValueError(f"ends = {ends}: the log-SNR must rise from the noisy to the clean end")
    if n < 1:
        raise ValueError(f"n = {n}: the integral needs at least 1 level")
    decoder.check(x0)
    width, offset = (clean - noisy) / n, noise.uniform((len(x0),)).to(x0.dtype)
    parts = [_part(denoise, noisy + (j + offset) * width, width, x0, noise) for j in range(n)]
    last, mse = _last(denoise, x0.new_tensor(clean), x0, noise, decoder)
    levels = torch.linspace(noisy, clean, n + 1, dtype=x0.dtype, device=x0.device)
    index = torch.arange(n, device=x0.device).expand(len(x0), n)
    kl, errors = (torch.stack(column, dim=1) for column in zip(*parts, strict=True))
    return Bound(levels, terminal_kl(x0, levels[0]), last, mse, index, torch.ones_like(kl), kl, errors)


def _part(denoise: Denoise, level: LogSNR, width: float, x0: State, noise: Noise) -> tuple[PerSample, PerSample]:
    """(bits of this part, mean squared error of the clean estimate)."""
    eps = noise.normal(x0.shape).to(x0.dtype)
    p = denoise(noised(x0, level, eps), level)
    return bits_a_dimension(width / 2 * (eps - p.eps).square(), x0), (x0 - p.x0).square().flatten(1).mean(1)


def _last(
    denoise: Denoise, level: LogSNR, x0: State, noise: Noise, decoder: PixelLikelihood
) -> tuple[PerSample, PerSample]:
    p = denoise(noised(x0, level, noise.normal(x0.shape).to(x0.dtype)), level)
    nats = decoder.nats(x0, p.x0, logsigmoid(-level))
    return bits_a_dimension(nats, x0), (x0 - p.x0).square().flatten(1).mean(1)

"""One term of the bound: KL(q(x_s | x_t, x_0) || p(x_s | x_t)) for a step from level t to the cleaner s.

Both are Gaussians whose means differ by alpha_s c (x_0 - x0_hat). q's variance is beta-tilde = sigma_s^2 c; p's is
beta-tilde r, log r = v log(beta/beta-tilde) = v log(sigma_t^2/sigma_s^2) with v = 0 (beta-tilde), 1 (beta) or learned
(iDDPM, Nichol & Dhariwal 2021, Eq. 15). In each dimension

    KL = 1/2 (log r + 1/r - 1 + (SNR_s - SNR_t) (x_0 - x0_hat)^2 / r)

At the last step s is the data, beta = sigma_1^2, and the place of beta-tilde, which is 0, takes that of the step before
(iDDPM's choice): sigma_1^2 (1 - SNR_2/SNR_1).
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from unclip.core.typing import LogSNR, PerSample, State
from unclip.core.wide import wide
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import forgotten, like
from unclip.diffusion.likelihood.bits import bits_a_dimension

Variance = Literal["beta", "beta_tilde", "learned"]


def mix_of(p: Prediction, variance: Variance) -> Tensor:
    """v between beta-tilde (0) and beta (1), in log.

    Raises ValueError where the learned variance is asked of a model that has none.
    """
    if variance == "learned":
        if p.variance_mix is None:
            raise ValueError("variance = learned: this model learned none; choose beta or beta_tilde")
        return wide(p.variance_mix)
    return torch.tensor(float(variance == "beta"), dtype=torch.float64)


def step_kl(x0: State, estimate: State, mix: Tensor, t: LogSNR, s: LogSNR) -> PerSample:
    """L_{t-1} of DDPM's Eq. 5, bits a dimension, [b]. t, s: one level for all, or one a sample; both finite."""
    noisier, cleaner = like(wide(t), x0), like(wide(s), x0)
    log_r = mix * (logsigmoid(-noisier) - logsigmoid(-cleaner))
    gain = torch.exp(cleaner) * forgotten(noisier, cleaner)  # SNR_s - SNR_t
    square = (wide(x0) - wide(estimate)).square()
    return bits_a_dimension((log_r + torch.expm1(-log_r) + gain * square * torch.exp(-log_r)) / 2, x0)


def last_log_variance(x0: State, mix: Tensor, t: LogSNR, before: LogSNR) -> Tensor:
    """log of the decoder's variance at the cleanest level t; `before`: the level that comes before it in sampling."""
    noisier, cleaner = like(wide(before), x0), like(wide(t), x0)
    return logsigmoid(-cleaner) + (1 - mix) * torch.log(forgotten(noisier, cleaner))

"""DDPM's reverse process (Ho et al. 2020, Eq. 6-7): the mean of q(x_s | x_t, x0) and one of three variances.

    beta         sigma_t^2 c: the upper bound, right for x0 ~ N(0, I)
    beta_tilde   sigma_s^2 c: the lower bound, right for one single x0
    learned      exp(v log beta + (1 - v) log beta-tilde), v the network's (Nichol & Dhariwal 2021, Eq. 15)

The last step is the mean, without noise.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.level import forgotten, sigma
from unclip.diffusion.samplers.base import Sampler, Step
from unclip.diffusion.samplers.ddim import step


@dataclass(frozen=True)
class Ancestral(Sampler):
    """DDPM's sampler (Ho et al. 2020, algorithm 2).

    Args:
        variance: of a step's noise. "beta": the upper bound. "beta_tilde": the lower bound. "learned": between them, as
            the network says (Nichol & Dhariwal 2021, Eq. 15); then few steps are enough.
    """

    variance: Literal["beta", "beta_tilde", "learned"] = "beta"

    @property
    def needs_variance(self) -> bool:
        return self.variance == "learned"

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for t, s in itertools.pairwise(grid):
            p = denoise(x, t)
            x = step(x, p, t, s, noise, eta=1.0, std=self._std(p, t, s))
            yield Step(x, p.x0, s)

    def _std(self, p: Prediction, t: LogSNR, s: LogSNR) -> Tensor | None:
        if self.variance == "beta_tilde":
            return None
        if self.variance == "beta":
            return sigma(t) * forgotten(t, s).sqrt()
        return learned_std(p.variance_mix, t, s)


def learned_std(mix: State | None, t: LogSNR, s: LogSNR) -> State:
    """sqrt of the log-interpolation at v = mix: sigma_s sqrt(c) (sigma_t/sigma_s)^v.

    Raises ValueError where the denoiser predicts no variance.
    """
    if mix is None:
        raise ValueError(
            "variance = 'learned': this model has learned no variance; draw with --sampler ddpm (Ancestral('beta')) or "
            "--sampler ancestral (Ancestral('beta_tilde')), or train one that learns it: "
            "unclip train DATA --model ddpm --set ddpm.diffusion.vlb_weight=0.001"
        )
    ratio = torch.exp((torch.nn.functional.logsigmoid(-t) - torch.nn.functional.logsigmoid(-s)) / 2)
    return sigma(s) * forgotten(t, s).sqrt() * ratio**mix

"""The joint density of a chain: its factors by torch's own Gaussians, and its mean by the bound."""

import math

import pytest
import torch
from tests.fakes import draw
from torch import Tensor
from torch.distributions import Normal

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.forward import chain
from unclip.diffusion.likelihood import BoundSettings, GaussianDensity, variational_bound
from unclip.diffusion.likelihood.joint import joint_bits
from unclip.diffusion.schedules import LinearBeta

TABLE = LinearBeta(1e-2, 0.6, T=4)
NOISE = ("test", "joint")


def guess(x: Tensor, log_snr: Tensor) -> Prediction:
    """A denoiser that is wrong, and not by the same everywhere."""
    return Prediction.from_x0(0.6 * x + 0.1, x, log_snr)


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_the_factors_are_those_of_ddpm(variance: str):
    """By hand from betas: Eq. 2, 4, 6-7 and 11, with x_0 in the place of eps."""
    x0, grid = draw(3, 2), TABLE.grid(4)
    found = joint_bits(guess, grid, x0, Noise.shared(*NOISE), variance)  # pyright: ignore[reportArgumentType]
    states = [x0, *(state.x for state in chain(x0, grid, Noise.shared(*NOISE)))]
    beta = TABLE.betas.float()
    bar = torch.cat([torch.ones(1), torch.cumprod(1 - beta, 0)])

    def step(t: int, about: Tensor) -> tuple[Tensor, Tensor]:
        mean = bar[t - 1].sqrt() * beta[t - 1] * about + (1 - beta[t - 1]).sqrt() * (1 - bar[t - 1]) * states[t]
        return mean / (1 - bar[t]), (1 - bar[t - 1]) / (1 - bar[t]) * beta[t - 1]

    p, q = [Normal(0.0, 1.0).log_prob(states[4])], [Normal(bar[4].sqrt() * x0, (1 - bar[4]).sqrt()).log_prob(states[4])]
    for t in (4, 3, 2):
        mean, tilde = step(t, guess(states[t], grid[4 - t]).x0)
        p.append(Normal(mean, (beta[t - 1] if variance == "beta" else tilde).sqrt()).log_prob(states[t - 1]))
        exact, tilde = step(t, x0)
        q.append(Normal(exact, tilde.sqrt()).log_prob(states[t - 1]))
    last = beta[0] if variance == "beta" else (1 - bar[1]) / (1 - bar[2]) * beta[1]
    p.append(Normal(guess(states[1], grid[3]).x0, last.sqrt()).log_prob(x0))
    for factors, own in ((p, found.p), (q, found.q[:, :-1])):
        wanted = torch.stack([-part.mean(1) / math.log(2) for part in factors], dim=1)
        assert torch.allclose(own, wanted, atol=2e-4)
    assert (found.q[:, -1] == 0).all()


def test_its_mean_is_the_bound():
    """E_q[log q(x_1:T | x_0) - log p(x_0:T)] (DDPM, Eq. 3) = L_T + sum L_{t-1} + L_0 (Eq. 5)."""
    x0, grid = draw(1, 2).expand(40_000, 2), TABLE.grid(4)
    found = joint_bits(guess, grid, x0, Noise.shared("test", "joint mean"))
    gap = (found.p - found.q).sum(1)
    bound = variational_bound(guess, grid, x0, Noise.shared("test", "bound"), BoundSettings(decoder=GaussianDensity()))
    error = (gap.var() / len(gap) + bound.total.var() / len(gap)).sqrt()
    assert abs(gap.mean() - bound.total.mean()) < 4 * error
    assert error < 0.02


def test_a_chain_ends_at_the_data():
    with pytest.raises(ValueError, match="must rise to"):
        joint_bits(guess, TABLE.grid(4)[:-1], draw(2, 2), Noise.shared("test", "short"))

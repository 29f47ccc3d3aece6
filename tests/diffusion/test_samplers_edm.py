"""Churn: EDM's algorithm 2 in its own coordinates, and what it is good for. Orders are in test_samplers_order."""

import itertools
import math

import pytest
import torch
from tests.fakes import GaussianData, draw

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.samplers import DDIM, Euler, Heun
from unclip.diffusion.schedules import LogNormal

DATA = GaussianData(mean=0.7, std=0.5)


def end(steps) -> torch.Tensor:
    *_, last = steps
    return last.x


def test_algorithm_2_in_its_own_coordinates():
    """y = x/alpha and s = sigma/alpha, as the paper writes it, in float64."""
    sampler, grid = Heun(s_churn=6.0, s_tmin=0.05, s_tmax=20.0, s_noise=1.01), LogNormal().grid(12).double()
    s = torch.exp(-grid / 2)
    x, noise = draw(16).double(), Noise.shared("churn")
    found = end(sampler(DATA.denoise, x, grid, noise))

    def slope(y: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        x0 = DATA.denoise(y / (1 + s**2).sqrt(), -2 * s.log()).x0
        return (y - x0) / s

    y, twin, churned = x * (1 + s[0] ** 2).sqrt(), Noise.shared("churn"), 0
    for now, after in itertools.pairwise(s):
        gamma = min(6.0 / 12, math.sqrt(2) - 1) if 0.05 <= now <= 20.0 else 0.0
        hat = now * (1 + gamma)
        if gamma:
            y, churned = y + (hat**2 - now**2).sqrt() * 1.01 * twin.normal(y.shape), churned + 1
        d = slope(y, hat)
        ahead = y + (after - hat) * d
        y = ahead if after == 0 else y + (after - hat) * (d + slope(ahead, after)) / 2
    assert 3 < churned < 12  # the test sees steps with churn and steps without
    assert torch.allclose(found, y, atol=1e-9)


def test_without_churn_euler_is_ddim():
    x, grid = draw(16), LogNormal().grid(12)
    assert torch.allclose(end(Euler()(DATA.denoise, x, grid, Noise.shared(0))),
                          end(DDIM()(DATA.denoise, x, grid, Noise.shared(0))), atol=1e-6)  # fmt: skip


def test_churn_corrects_what_was_wrong_before():
    """A network that is wrong above sigma/alpha = 2 only: fresh noise below it forgets half of that error."""

    def wrong(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        p = DATA.denoise(x, log_snr)
        return Prediction.from_x0(p.x0 + 0.5, x, log_snr) if log_snr < -2 * math.log(2) else p

    x, grid = draw(4000), LogNormal().grid(40)

    def error(churn: float) -> float:
        return abs(end(Heun(s_churn=churn)(wrong, x, grid, Noise.shared(0))).mean().item() - DATA.mean)

    assert error(40.0) < error(0.0) / 2


def test_only_levels_between_the_ends_are_churned():
    asked = []

    def told(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        asked.append(log_snr.item())
        return DATA.denoise(x, log_snr)

    grid = torch.tensor([-4.0, -1.0, 1.0, 4.0, math.inf])
    end(Euler(s_churn=0.4, s_tmin=0.5, s_tmax=2.0)(told, draw(2), grid, Noise.shared(0)))
    shift = 2 * math.log(1.1)
    assert asked == pytest.approx([-4.0, -1.0 - shift, 1.0 - shift, 4.0])

"""Unit 3: the mathematics."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.course.answers import Exercise, choice, near
from unclip.diffusion import forward
from unclip.diffusion.schedules import LinearBeta, ScaledLinearBeta

BARS = ((0.9, 0.7), (0.6, 0.1), (0.999, 0.99))
"""alpha-bar of a cleaner level, and of a noisier one."""


def _level(alpha_bar: float) -> Tensor:
    return torch.tensor(alpha_bar, dtype=torch.float64).logit()


def alpha_bars(betas: Tensor) -> Tensor:
    """Each step keeps the share 1 - beta of the variance that comes from x_0."""
    return torch.cumprod(1 - betas, 0)


def _bars(answer: Callable[[Tensor], Tensor]) -> str:
    for schedule in (LinearBeta(), ScaledLinearBeta(T=50)):
        betas = schedule.betas.double()
        if wrong := near(answer(betas), schedule.log_alpha_bar.exp(), 1e-5, f"an alpha-bar of {len(betas)} steps"):
            return wrong
    return ""


def long_step(alpha_bar_s: float, alpha_bar_t: float) -> tuple[float, float]:
    """The factors of all steps between, whose squares are alpha-bar_t / alpha-bar_s; the variance fills up to 1."""
    kept = alpha_bar_t / alpha_bar_s
    return kept**0.5, 1 - kept


def _long(answer: Callable[[float, float], tuple[float, float]]) -> str:
    for s, t in BARS:
        right = forward.one_step(torch.ones(1, 1, dtype=torch.float64), _level(s), _level(t))
        factor, variance = answer(s, t)
        wrong = near(factor, right.mean.squeeze(), what="the factor")
        if wrong := wrong or near(variance, right.variance.squeeze(), what="the variance"):
            return f"{wrong} (alpha-bar_s = {s}, alpha-bar_t = {t})"
    return ""


def posterior(x_t: Tensor, x_0: Tensor, beta: float, alpha_bar: float, alpha_bar_before: float) -> tuple[Tensor, float]:
    """Eq. 6-7, as they stand."""
    of_x0 = alpha_bar_before**0.5 * beta / (1 - alpha_bar)
    of_xt = (1 - beta) ** 0.5 * (1 - alpha_bar_before) / (1 - alpha_bar)
    return of_x0 * x_0 + of_xt * x_t, (1 - alpha_bar_before) / (1 - alpha_bar) * beta


def _posterior(answer: Callable[[Tensor, Tensor, float, float, float], tuple[Tensor, float]]) -> str:
    noise = Noise.shared(3, "course 3.3")
    for before, after in BARS:
        x_t, x_0 = noise.normal((2, 5)).double(), noise.normal((2, 5)).double()
        right = forward.posterior(x_t, x_0, _level(after), _level(before))
        mean, variance = answer(x_t, x_0, 1 - after / before, after, before)
        wrong = near(mean, right.mean, what="the mean")
        if wrong := wrong or near(variance, right.variance.squeeze(), what="the variance"):
            return f"{wrong} (alpha-bar_(t-1) = {before}, alpha-bar_t = {after})"
    return ""


def divergence(m: float, v: float, n: float, w: float) -> float:
    """E_p[log p - log q]: the variances give the first three terms, the means the last; it is 0 where p = q."""
    return 0.5 * (math.log(w / v) + v / w - 1 + (m - n) ** 2 / w)


def _divergence(answer: Callable[[float, float, float, float], float]) -> str:
    from torch.distributions import Normal, kl_divergence

    for m, v, n, w in ((0.0, 1.0, 0.0, 1.0), (0.5, 0.2, -0.3, 0.7), (1.0, 2.0, 1.0, 0.5)):
        right = kl_divergence(*(Normal(torch.tensor(a), torch.tensor(b).sqrt()) for a, b in ((m, v), (n, w))))
        if wrong := near(answer(m, v, n, w), right, what=f"D(N({m}, {v}) || N({n}, {w}))"):
            return wrong
    return ""


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """A bit is ln 2 = 0.693 nats."""
    return nats / (dimensions * math.log(2))


def _bits(answer: Callable[[float, int], float]) -> str:
    for bits, dimensions in ((8, 3072), (0.94, 12)):
        nats = -dimensions * math.log(2**-bits)  # of a uniform choice of 2^bits values, in each dimension
        if wrong := near(answer(nats, dimensions), bits, what=f"{nats:.1f} nats for {dimensions} numbers"):
            return wrong
    return ""


def as_noisy() -> int:
    """The first t whose alpha-bar is not above the last one of DDPM's table."""

    def bars(last: float) -> Tensor:
        return torch.cumprod(1 - torch.linspace(1e-4, last, 1000, dtype=torch.float64), 0)

    return int((bars(0.2) <= bars(0.02)[-1]).int().argmax())


def _reached(answer: Any) -> str:
    levels, end = LinearBeta(beta_T=0.2).table, LinearBeta().table[-1]
    return near(answer, int((levels <= end).int().argmax()), 0.0, "your t")


def left_over(x_0: Tensor, alpha_bar: float) -> float:
    """The divergence of 3.4 with the means sqrt(alpha-bar) x_0 and 0, the variances 1 - alpha-bar and 1; over ln 2."""
    v = 1 - alpha_bar
    nats = 0.5 * (v - 1 - math.log(v) + alpha_bar * x_0.square())
    return nats.mean().item() / math.log(2)


def _left_over(answer: Callable[[Tensor, float], float]) -> str:
    x0 = Noise.shared(3, "course 3.7").normal((1, 3, 8, 8)).double()
    for alpha_bar in (0.3, 0.01):
        right = forward.terminal_kl(x0, _level(alpha_bar)).squeeze()
        if wrong := near(answer(x0, alpha_bar), right, what=f"L_T at alpha-bar = {alpha_bar}"):
            return wrong
    return ""


def below_zero() -> str:
    """A density has a unit, 1 over that of x: where points lie close together it is large, and -log2 of it below 0."""
    return "density"


EXERCISES = (
    Exercise(_bars, alpha_bars),
    Exercise(_long, long_step),
    Exercise(_posterior, posterior),
    Exercise(_divergence, divergence),
    Exercise(_bits, bits_per_dimension),
    Exercise(_reached, as_noisy, value=True),
    Exercise(_left_over, left_over),
    Exercise(
        choice("density", "a probability is at most 1, and its -log2 at least 0; is what is measured here one?"),
        below_zero,
        value=True,
    ),
)

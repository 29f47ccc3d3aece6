"""Unit 2: from scratch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.course.answers import Exercise, near
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import noised
from unclip.diffusion.parameterization import V
from unclip.diffusion.samplers import DDIM

LEVELS = ((0.9, 0.95), (0.5, 0.8), (0.02, 0.3))
"""alpha-bar, and one that is cleaner."""


def _states() -> Iterator[tuple[float, float, Tensor, Tensor, Tensor]]:
    """alpha-bar, a cleaner one, x_0, epsilon and the x_t of them."""
    noise = Noise.shared(2, "course")
    for alpha_bar, cleaner in LEVELS:
        x0, eps = noise.normal((2, 3, 4, 4)), noise.normal((2, 3, 4, 4))
        yield alpha_bar, cleaner, x0, eps, noised(x0, torch.tensor(alpha_bar).logit().expand(2), eps)


def loss_of_zero() -> float:
    """|epsilon - 0|^2 has the mean 1, because epsilon has the variance 1."""
    return 1.0


def _zero(answer: Any) -> str:
    return near(answer, Noise.shared(0, "course 2.1").normal((400_000,)).square().mean(), 0.02, "your loss")


def clean_image(x_t: Tensor, eps: Tensor, alpha_bar: float) -> Tensor:
    """Eq. 4 solved for x_0."""
    return (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5


def _clean(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    for alpha_bar, _, x0, eps, x in _states():
        if wrong := near(answer(x, eps, alpha_bar), x0, what=f"x_0 at alpha-bar = {alpha_bar}"):
            return wrong
    return ""


def ddim_step(x_t: Tensor, eps: Tensor, alpha_bar: float, alpha_bar_before: float) -> Tensor:
    """The clean image by 2.2, and the same noise at the lower level."""
    x0 = (x_t - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5
    return alpha_bar_before**0.5 * x0 + (1 - alpha_bar_before) ** 0.5 * eps


@dataclass(frozen=True)
class _Told:
    """A denoiser that gives one answer to all."""

    answer: Prediction

    def __call__(self, x: State, log_snr: LogSNR) -> Prediction:
        return self.answer


def _ddim(answer: Callable[[Tensor, Tensor, float, float], Tensor]) -> str:
    for alpha_bar, cleaner, x0, eps, x in _states():
        grid = torch.tensor([alpha_bar, cleaner, 1.0]).logit()
        first = next(iter(DDIM()(_Told(Prediction(x0, eps)), x, grid, Noise.shared(0))))
        what = f"the state from alpha-bar = {alpha_bar} to {cleaner}"
        if wrong := near(answer(x, eps, alpha_bar, cleaner), first.x, what=what):
            return wrong
    return ""


def same_level(a: float) -> float:
    """alpha-bar / (1 - alpha-bar) = (1 - a)^2 / a^2, solved for alpha-bar."""
    return (1 - a) ** 2 / ((1 - a) ** 2 + a**2)


def _level(answer: Callable[[float], float]) -> str:
    from unclip.diffusion.schedules import RectifiedFlow  # whose time is a

    for a in (0.1, 0.5, 0.7):
        right = torch.sigmoid(RectifiedFlow()(torch.tensor(a, dtype=torch.float64)))
        if wrong := near(answer(a), right, what=f"alpha-bar at a = {a}"):
            return wrong
    return ""


def clean_from_v(x_t: Tensor, v: Tensor, alpha_bar: float) -> Tensor:
    """(x_t, v) is (x_0, epsilon) turned by an angle; turning back gives x_0."""
    return alpha_bar**0.5 * x_t - (1 - alpha_bar) ** 0.5 * v


def _from_v(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    for alpha_bar, _, x0, eps, x in _states():
        v = alpha_bar**0.5 * eps - (1 - alpha_bar) ** 0.5 * x0
        skip, out = V().scalings(torch.tensor(alpha_bar).logit())
        right = skip * x + out * v
        if wrong := near(answer(x, v, alpha_bar), right, what=f"x_0 at alpha-bar = {alpha_bar}"):
            return wrong
    return ""


EXERCISES = (
    Exercise(_zero, loss_of_zero, value=True),
    Exercise(_clean, clean_image),
    Exercise(_ddim, ddim_step),
    Exercise(_level, same_level),
    Exercise(_from_v, clean_from_v),
)

"""Unit 4: samplers, few steps, guidance."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.course.answers import Exercise, choice, near
from unclip.course.exercises.unit_3 import BARS
from unclip.diffusion import forward
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.guidance import ClassifierFree


def fresh_noise(eta: float, alpha_bar_t: float, alpha_bar_s: float) -> float:
    """DDIM, Eq. 16."""
    return eta * ((1 - alpha_bar_s) / (1 - alpha_bar_t)) ** 0.5 * (1 - alpha_bar_t / alpha_bar_s) ** 0.5


def _fresh(answer: Callable[[float, float, float], float]) -> str:
    one = torch.ones(1, 1, dtype=torch.float64)
    for cleaner, noisier in BARS:
        levels = (torch.tensor(bar, dtype=torch.float64).logit() for bar in (noisier, cleaner))
        beta_tilde = forward.posterior(one, one, *levels).variance.squeeze()
        for eta in (1.0, 0.4):
            what = f"sigma at eta = {eta}, alpha-bar_t = {noisier}, alpha-bar_s = {cleaner}"
            if wrong := near(answer(eta, noisier, cleaner), eta * beta_tilde.sqrt(), what=what):
                return wrong
    return ""


def order(error: float, error_of_twice_the_steps: float) -> float:
    """(2 N)^-p is 2^-p of N^-p: the quotient is 2^p."""
    return math.log2(error / error_of_twice_the_steps)


def _order(answer: Callable[[float, float], float]) -> str:
    for p in (1.0, 2.0, 3.5):
        if wrong := near(answer(0.3 * 10**-p, 0.3 * 20**-p), p, what="the order"):
            return wrong
    return ""


def guided(eps_without: Tensor, eps_with: Tensor, w: float) -> Tensor:
    """From the answer without, w times the way to the answer with."""
    return eps_without + w * (eps_with - eps_without)


@dataclass(frozen=True)
class _Two:
    """A conditional denoiser with one answer to those who bring a vector of ones, and another to those of zeros."""

    given: Tensor
    none: Tensor

    def __call__(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        assert cond.vector is not None
        eps = torch.where(cond.vector[:, :1] > 0, self.given, self.none)
        half = 0.5**0.5
        return Prediction((x - half * eps) / half, eps)


def _guided(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    noise = Noise.shared(4, "course 4.3")
    x, one, other = (noise.normal((1, 6)) for _ in range(3))
    given, none = (Condition(vector=torch.full((1, 1), value)) for value in (1.0, 0.0))
    for w in (0.0, 1.0, 2.5):
        right = ClassifierFree(w)(_Two(one, other), given, none)(x, torch.zeros(1)).eps
        if wrong := near(answer(other, one, w), right, what=f"the noise at w = {w}"):
            return wrong
    return ""


def questions(steps: int, w: float) -> int:
    """At w = 1 the answer without the prompt is multiplied by 0."""
    return steps if w == 1 else 2 * steps


def _questions(answer: Callable[[int, float], int]) -> str:
    counted = _Counted()
    for steps, w in ((24, 2.0), (24, 1.0), (7, 0.0)):
        counted.calls = 0
        denoise = ClassifierFree(w)(counted, Condition(), Condition())
        for _ in range(steps):
            denoise(torch.zeros(1, 2), torch.zeros(1))
        if wrong := near(answer(steps, w), counted.calls, 0.0, f"the number at {steps} steps and w = {w}"):
            return wrong
    return ""


class _Counted:
    """A denoiser that counts by how many images it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        self.calls += len(x)
        return Prediction(x, x)


def stands_for() -> str:
    """Guidance leads away from what stands there: from nothing in particular, or from what one does not want."""
    return "eps_without"


EXERCISES = (
    Exercise(_fresh, fresh_noise),
    Exercise(_order, order),
    Exercise(_guided, guided),
    Exercise(_questions, questions),
    Exercise(choice("eps_without", "what does guidance lead away from?"), stands_for, value=True),
)

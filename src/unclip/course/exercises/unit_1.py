"""Unit 1: what a diffusion model is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from unclip.core.noise import Noise
from unclip.course.answers import Exercise, choice, near
from unclip.diffusion.level import noised
from unclip.diffusion.schedules import LinearBeta


def add_noise(x0: Tensor, alpha_bar: float, eps: Tensor) -> Tensor:
    """Both shares are square roots, so that their squares, the variances, sum to 1."""
    return alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps


def _noising(answer: Callable[[Tensor, float, Tensor], Tensor]) -> str:
    noise = Noise.shared(1, "course 1.1")
    x0, eps = noise.normal((2, 3, 4, 4)), noise.normal((2, 3, 4, 4))
    for alpha_bar in (0.9, 0.25):
        right = noised(x0, torch.tensor(alpha_bar).logit().expand(2), eps)
        if wrong := near(answer(x0, alpha_bar, eps), right, what=f"x_t at alpha-bar = {alpha_bar}"):
            return wrong
    return ""


def more_noise() -> int:
    """sqrt(1 - alpha-bar) > sqrt(alpha-bar) where alpha-bar < 1/2; `argmax` finds the first True."""
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - beta, 0)
    return int((alpha_bar < 0.5).int().argmax())


def _crossing(answer: Any) -> str:
    levels = LinearBeta().table  # log-SNR: 0 where there is as much noise as image
    return near(answer, int((levels < 0).int().argmax()), 0.0, what="your t")


def the_seed_decides() -> str:
    """The same weights answer the same questions; the seed draws x_T, and what noise a step adds."""
    return "noise"


def first_guess_is_wrong_by(model: Any, seed: int) -> float:
    """The first step has the estimate from pure noise, the last one the finished image."""
    steps = list(model.steps([""], [seed]))
    return (steps[0].x0 - steps[-1].x).abs().mean().item()


@dataclass(frozen=True)
class _Step:
    x: Tensor
    x0: Tensor


class _Walk:
    """Has the steps of a model, and no model."""

    def steps(self, prompts: list[str], seeds: list[int]) -> list[_Step]:
        """Three states with estimates that depend on the seed."""
        noise = Noise.per_sample(seeds)
        return [_Step(noise.normal((1, 3, 2, 2)), noise.normal((1, 3, 2, 2))) for _ in range(3)]


def _first_guess(answer: Callable[[Any, int], float]) -> str:
    for seed in (3, 4):
        first, _, last = _Walk().steps([""], [seed])
        if wrong := near(answer(_Walk(), seed), (first.x0 - last.x).abs().mean(), what=f"the distance at seed {seed}"):
            return wrong
    return ""


def same_image(first: Image.Image, second: Image.Image) -> bool:
    """Sizes first: images of 2 x 8 and 4 x 4 pixels can hold the same bytes."""
    return first.size == second.size and first.tobytes() == second.tobytes()


def _same(answer: Callable[[Image.Image, Image.Image], bool]) -> str:
    red, wide = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (8, 2), "red")
    other = red.copy()
    other.putpixel((3, 2), (255, 0, 1))
    for what, second, right in (
        ("a copy", red.copy(), True),
        ("one other pixel", other, False),
        ("8 x 2", wide, False),
    ):
        if (got := answer(red, second)) is not right:
            return f"of an image of 4 x 4 and {what} it says {got!r}, {right} is right"
    return ""


EXERCISES = (
    Exercise(_noising, add_noise),
    Exercise(_crossing, more_noise, value=True),
    Exercise(choice("noise", "the weights are the same for both, and you set the steps"), the_seed_decides, value=True),
    Exercise(_first_guess, first_guess_is_wrong_by),
    Exercise(_same, same_image),
)

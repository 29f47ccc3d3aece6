"""Unit 8: from your own data to a shared model."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.course.answers import Exercise, near
from unclip.diffusion.likelihood import Estimate


def passes(images: int, steps: int, batch: int) -> float:
    """Each step sees a batch; a pass has seen all images once."""
    return steps * batch / images


def _passes(answer: Callable[[int, int, int], float]) -> str:
    for images, times, batch in ((400, 3, 32), (30, 7, 16)):
        right = times * images // batch
        wanted = sum(1 for _ in range(right) for _ in range(batch)) / images
        if wrong := near(answer(images, right, batch), wanted, what=f"the number for {images} images"):
            return wrong
    return ""


def nearest(drawn: Tensor, training: Tensor) -> Tensor:
    """All distances, [n, m], and the least of each row."""
    return torch.cdist(drawn, training).min(1).values


def _nearest(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    noise = Noise.shared(8, "course 8.2")
    drawn, training = noise.normal((5, 7)), noise.normal((9, 7))
    right = torch.stack([min((one - other).norm() for other in training) for one in drawn])
    return near(answer(drawn, training), right, what="a distance")


def standard_error(values: Tensor) -> float:
    """`std` divides by n - 1 by itself."""
    return (values.std() / len(values) ** 0.5).item()


def _error(answer: Callable[[Tensor], float]) -> str:
    values = Noise.shared(8, "course 8.3").normal((11,))
    return near(answer(values), Estimate.of(values).error, what="the standard error")


def is_clear(a: Tensor, b: Tensor) -> bool:
    """The seeds are shared, so the differences are what varies by chance."""
    gap = a - b
    return bool(gap.mean().abs() > 3 * gap.std() / len(gap) ** 0.5)


def _clear(answer: Callable[[Tensor, Tensor], bool]) -> str:
    noise = Noise.shared(8, "course 8.4")
    hard, small = 5 * noise.normal((8,)), 0.1 * noise.normal((8,))
    cases = (("a small and steady gain", hard + small + 0.5, True), ("chance", hard + small - small.mean(), False))
    for what, a, right in (*cases, ("a steady loss", hard + small - 0.5, True)):
        if bool(got := answer(a, hard)) is not right:
            return f"of {what} it says {got!r}"
    return ""


def body(prompt: str, seed: int) -> dict[str, Any]:
    """What is left out is as the model was stored."""
    return {"prompt": prompt, "n": 2, "size": "64x64", "seed": seed}


def _body(answer: Callable[[str, int], dict[str, Any]]) -> str:
    wanted: dict[str, Any] = {"prompt": "a tulip", "n": 2, "size": "64x64", "seed": 5}
    got = answer("a tulip", 5)
    if not isinstance(got, dict):
        return f"a dictionary is asked for, not {got!r}"
    for name, value in wanted.items():
        if got.get(name) != value:
            return f"{name} is {got.get(name)!r}, {value!r} is asked for"
    return ""


EXERCISES = (
    Exercise(_passes, passes),
    Exercise(_nearest, nearest),
    Exercise(_error, standard_error),
    Exercise(_clear, is_clear),
    Exercise(_body, body),
)

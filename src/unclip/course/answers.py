"""An exercise: what is asked, how an answer is judged, and one that is right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Judge = Callable[[Any], str]
"""Takes an answer; says what is wrong with it, and nothing ("") where it is right."""


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and a sentence for its reader, which is what `print` shows."""

    right: bool
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Exercise:
    """One exercise of a unit.

    Args:
        judge: says what is wrong with an answer.
        solution: a function that is a right answer, or, where a value is asked for, one without arguments that returns
            it. Its source is what a reader is shown, so it stands for itself.
        value: whether a value is asked for, and not a function.
    """

    judge: Judge
    solution: Callable[..., Any]
    value: bool = False

    @property
    def answer(self) -> Any:
        """An answer that is right."""
        return self.solution() if self.value else self.solution


def near(got: Any, wanted: Any, within: float = 1e-4, what: str = "your answer") -> str:
    """Says where numbers or tensors differ from what is wanted, by a share of the largest; "" where they agree."""
    try:
        mine, right = (torch.as_tensor(each, dtype=torch.float64) for each in (got, wanted))
    except (TypeError, ValueError, RuntimeError):
        return f"{what} is {_short(got)}: a number or a tensor is asked for"
    if mine.shape != right.shape:
        return f"{what} has the shape {list(mine.shape)}, {list(right.shape)} is asked for"
    if bool(((mine - right).abs() <= within * right.abs().max().clamp(min=1e-9)).all()):
        return ""
    at = int((mine - right).abs().argmax())
    return f"{what} is {mine.flatten()[at]:.6g} where {right.flatten()[at]:.6g} is right"


def choice(right: str, why: str) -> Judge:
    """Judges a letter or a word; `why` helps whoever chose another one."""

    def judge(answer: Any) -> str:
        if not isinstance(answer, str):
            return f"a word in quotes is asked for, not {_short(answer)}"
        return "" if answer.strip().lower() == right else f"{answer!r} is not it: {why}"

    return judge


def _short(value: Any) -> str:
    return repr(value)[:60]

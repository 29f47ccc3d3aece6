"""Is mine right? `check` answers with a sentence, `solution` shows how it is done."""

import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable
from types import EllipsisType
from typing import Any

from unclip.course.answers import Exercise, Verdict
from unclip.course.catalog import units

TRIED = (ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)
"""What a function that is still being written raises."""


def check(number: str, answer: Any) -> Verdict:
    """Judges the answer to an exercise; print what it returns.

    Args:
        number: of the exercise, as "3.2".
        answer: a value or a function, as the exercise asks; `...` is no answer yet.

    Raises:
        ValueError: where there is no such exercise.
    """
    exercise = find(number)
    try:
        wrong = exercise.judge(_given(answer))
    except Unanswered:
        return Verdict(False, f'{number}: still yours to do. To see one way: print(solution("{number}"))')
    except TRIED as error:
        wrong = f"it raised {type(error).__name__}: {error}"
    return Verdict(not wrong, f"{number}: not yet, {wrong}" if wrong else f"{number}: right.")


class Unanswered(Exception):
    """The answer is still `...`."""


def _given(answer: Any) -> Any:
    """The answer, where there is one: what is still `...`, or returns that, is none."""
    if isinstance(answer, EllipsisType | None):
        raise Unanswered
    return functools.partial(_called, answer) if inspect.isfunction(answer) else answer


def _called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if isinstance(got := function(*args, **kwargs), EllipsisType):
        raise Unanswered
    return got


def solution(number: str) -> str:
    """The source of a right answer, whose docstring says why it is one. Raises ValueError as `check` does."""
    return textwrap.dedent(inspect.getsource(find(number).solution))


def find(number: str) -> Exercise:
    """An exercise by its number. Raises ValueError that lists those of the unit."""
    unit, _, _ = number.partition(".")
    known = exercises(unit) if unit in {str(each.number) for each in units()} else {}
    if number not in known:
        there = ", ".join(known) or f"units are 1 to {len(units())}"
        raise ValueError(f"exercise {number!r}: there is none of this number; {there}")
    return known[number]


def exercises(unit: str) -> dict[str, Exercise]:
    """The exercises of a unit by their numbers, in their order."""
    module = importlib.import_module(f"unclip.course.exercises.unit_{unit}")
    return {f"{unit}.{i}": each for i, each in enumerate(module.EXERCISES, 1)}
